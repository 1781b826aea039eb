package fdbkv

import (
	"fmt"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
)

// APIVersion is the version of FoundationDB's client API that Open selects,
// and with which this package is tested.
const APIVersion = 730

// minAPIVersion is the oldest that will do: before it, a retry began a
// transaction's time limit anew.
const minAPIVersion = 610

// selectVersion selects the API version, unless the program has.
func selectVersion() error {
	if fdb.IsAPIVersionSelected() {
		return versionSelected()
	}
	if err := fdb.APIVersion(APIVersion); err != nil {
		return fmt.Errorf("fdbkv: the FoundationDB client library on this machine does not know API version %d; "+
			"install that of FoundationDB 7.3 or later: %w", APIVersion, err)
	}
	return nil
}

// versionSelected fails where no API version is selected, or one too old.
func versionSelected() error {
	version, err := fdb.GetAPIVersion()
	if err != nil {
		return fmt.Errorf("fdbkv: call fdb.APIVersion(%d) before the first transaction: %w", APIVersion, err)
	}
	if version < minAPIVersion {
		return fmt.Errorf("fdbkv: the program has selected API version %d; at least %d is needed, and %d is best",
			version, minAPIVersion, APIVersion)
	}
	return nil
}
