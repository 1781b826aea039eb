//go:build !unix

package filekv

import (
	"os"
	"runtime"
)

// openHostLock fails, because the package has never been tested on this system. On
// Windows, locks and the renaming of open files behave differently from what this
// package expects.
func openHostLock(path string, _ os.FileMode) (hostLock, error) {
	return nil, &StoreError{Path: path, Problem: "a file store needs Linux, macOS or a BSD; this is " + runtime.GOOS, Err: ErrUnsupported}
}
