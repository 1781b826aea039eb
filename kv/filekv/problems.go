package filekv

import (
	"errors"
	"io/fs"
	"syscall"

	berrors "go.etcd.io/bbolt/errors"
)

// causeOf takes the path out of an error of the file system, as a StoreError
// names it already.
func causeOf(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// problemOf adds to what went wrong what to do about it.
func problemOf(err error, what string) string {
	switch {
	case errors.Is(err, syscall.EROFS):
		return what + ": the file system is mounted read-only, and even a reader has to lock; use a writable copy"
	case errors.Is(err, fs.ErrPermission):
		return what + ": its user needs to read and write the store, its lock file (" + lockSuffix +
			") and, to create them, the directory; check their permissions"
	case errors.Is(err, fs.ErrNotExist):
		return what + ": it does not exist; check the path"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return what + ": no room; make some, nothing is lost"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return what + ": too many open files; raise the limit"
	}
	return what
}

// boltProblem makes a StoreError of what bbolt answers.
func (s *store) boltProblem(err error, what string) error {
	var se *StoreError
	switch {
	case errors.As(err, &se):
		return se
	case errors.Is(err, berrors.ErrTimeout):
		return &StoreError{Path: s.path, Problem: "another program holds the file; wait for it or end it", Err: ErrHeldElsewhere}
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch),
		errors.Is(err, berrors.ErrInvalidMapping):
		return s.damaged("%v", err)
	}
	return &StoreError{Path: s.path, Problem: problemOf(err, what), Err: causeOf(err)}
}
