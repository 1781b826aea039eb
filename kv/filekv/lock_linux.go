package filekv

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// openHostLock opens the lock of the store at path: the fair queue, or where
// the kernel does not know its kind of lock (some sandboxes), flock.
func openHostLock(path string, mode os.FileMode) (hostLock, error) {
	file, err := openLockFile(path+lockSuffix, mode)
	if err != nil {
		return nil, err
	}
	q := &queue{file: file}
	if _, _, err := q.blocker(lockByte, 1); err != nil {
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
			return &flockLock{file: file}, nil
		}
		_ = file.close()
		return nil, &StoreError{Path: file.path, Problem: "cannot lock", Err: err}
	}
	return q, nil
}
