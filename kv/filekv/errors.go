package filekv

import (
	"errors"
	"fmt"

	"github.com/fdbelection/fdbelection/kv"
)

// The errors of a store, for errors.Is. The returned error is a StoreError, which
// names the file and says what to do.
var (
	// ErrNotAStore: the file is not a store. It was not changed.
	ErrNotAStore = errors.New("not a store of this package")
	// ErrNewerFormat: the file was written by a later version of this package.
	ErrNewerFormat = errors.New("format is newer than this program knows")
	// ErrDamaged: the content of the file is invalid. Nothing is written to it.
	ErrDamaged = errors.New("damaged")
	// ErrReplaced: the file at the path is not the store that was opened.
	ErrReplaced = errors.New("replaced by another store")
	// ErrClosed: Close was called.
	ErrClosed = errors.New("store is closed")
	// ErrUnsupported: the package does not run on this operating system.
	ErrUnsupported = errors.New("not supported on this operating system")
)

// errHeldElsewhere: another program has the file open and locked.
var errHeldElsewhere = errors.New("held by another program")

// StoreError is an error of a store file.
type StoreError struct {
	// Path is the file.
	Path string
	// Problem says what is wrong and, if possible, what to do.
	Problem string
	// Err is the cause: an error of this package, of the file system or of a context.
	Err error
}

// Error names the file, the problem and the cause.
func (e *StoreError) Error() string {
	return fmt.Sprintf("store %q: %s: %v", e.Path, e.Problem, e.Err)
}

// Unwrap returns the cause.
func (e *StoreError) Unwrap() error { return e.Err }

// toKVError returns the kv.Error in err. If there is none, err is a failure of the
// disk or of the file, with code 1510.
func toKVError(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[kv.Error](err); ok {
		return e
	}
	return kv.Error{Code: kv.CodeIOError, Err: err}
}
