package filekv

import (
	"errors"
	"io/fs"
	"syscall"

	berrors "go.etcd.io/bbolt/errors"
)

// causeOf removes the path from an error of the file system, because a StoreError
// already has it.
func causeOf(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// problemOf adds advice to the description of a problem.
func problemOf(err error, what string) string {
	switch {
	case errors.Is(err, syscall.EROFS):
		return what + ": the file system is read-only, but even a reader has to write to the lock file; use a writable copy"
	case errors.Is(err, fs.ErrPermission):
		return what + ": the user needs permission to read and write the store and its lock file (" + lockSuffix +
			"), and to write to the directory to create them"
	case errors.Is(err, fs.ErrNotExist):
		return what + ": it does not exist; check the path"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT), errors.Is(err, syscall.EFBIG):
		return what + ": the disk is full; free some space; no data is lost"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		return what + ": too many open files; raise the limit"
	}
	return what
}

// boltProblem converts an error of bbolt to a StoreError.
func (s *store) boltProblem(err error, what string) error {
	var se *StoreError
	switch {
	case errors.As(err, &se):
		return se
	case errors.Is(err, berrors.ErrTimeout):
		return &StoreError{Path: s.path, Problem: "another program holds the file; wait for it or end it", Err: errHeldElsewhere}
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch),
		errors.Is(err, berrors.ErrInvalidMapping):
		return s.damaged("%v", err)
	}
	return &StoreError{Path: s.path, Problem: problemOf(err, what), Err: causeOf(err)}
}
