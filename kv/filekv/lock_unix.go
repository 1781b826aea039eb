//go:build unix && !linux

package filekv

import "os"

// openHostLock opens the lock of the store at path.
func openHostLock(path string, mode os.FileMode) (hostLock, error) {
	file, err := openLockFile(path+lockSuffix, mode)
	if err != nil {
		return nil, err
	}
	return &flockLock{file: file}, nil
}
