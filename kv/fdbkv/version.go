package fdbkv

import (
	"fmt"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
)

// APIVersion is the version of FoundationDB's client API that Open selects. This package
// is tested with it.
const APIVersion = 730

// minAPIVersion is the oldest supported version. In older versions, a retry restarts the
// time limit of a transaction.
const minAPIVersion = 610

// selectVersion selects the API version, unless the program has done so.
func selectVersion() error {
	if fdb.IsAPIVersionSelected() {
		return versionSelected()
	}
	if err := fdb.APIVersion(APIVersion); err != nil {
		return fmt.Errorf("fdbkv: the FoundationDB client library on this machine does not know API version %d; "+
			"install the client library of FoundationDB 7.3 or later: %w", APIVersion, err)
	}
	return nil
}

// versionSelected fails if no API version is selected, or if it is too old.
func versionSelected() error {
	version, err := fdb.GetAPIVersion()
	if err != nil {
		return fmt.Errorf("fdbkv: call fdb.APIVersion(%d) before the first transaction: %w", APIVersion, err)
	}
	if version < minAPIVersion {
		return fmt.Errorf("fdbkv: the program has selected API version %d, but at least %d is needed (%d is recommended)",
			version, minAPIVersion, APIVersion)
	}
	return nil
}
