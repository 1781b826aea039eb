package record

import (
	"fmt"

	"github.com/fdbelection/fdbelection"
)

// ReplacedRevision is the revision of a config that replaces a damaged one. It is above any
// revision that a config can have reached.
const ReplacedRevision = 1 << 40

// CheckRevision decides about a write of a config that replaces the revision wanted; zero: any.
// stored is the revision that is there, and own says that this config has the settings and the
// nonce of the write. It reports whether an earlier run has done the write. The error is
// ErrConfigChanged if another revision is there.
func CheckRevision(stored, wanted uint64, own bool) (done bool, err error) {
	switch {
	case wanted == 0 && own, wanted != 0 && own && stored == wanted+1:
		return true, nil
	case wanted != 0 && wanted != stored:
		return false, fmt.Errorf("%w: it is at revision %d, the change was made to %d", fdbelection.ErrConfigChanged, stored, wanted)
	}
	return false, nil
}
