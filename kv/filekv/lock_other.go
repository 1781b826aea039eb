//go:build !unix

package filekv

import (
	"os"
	"runtime"
)

// openHostLock says that there is no lock here. Windows has locks of its own,
// but neither they nor the moving of a file that is open behave as is assumed
// here, and nothing has been tried there.
func openHostLock(path string, _ os.FileMode) (hostLock, error) {
	return nil, &StoreError{Path: path, Problem: "a file store needs Linux, macOS or a BSD, and this is " + runtime.GOOS, Err: ErrUnsupported}
}
