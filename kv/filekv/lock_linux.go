package filekv

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// openHostLock opens the lock of the store at path. It is the fair queue, or flock if
// the kernel does not support open file description locks, as in some sandboxes.
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
