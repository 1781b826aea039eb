package filekv

import (
	"errors"
	"fmt"

	"github.com/fdbelection/fdbelection/kv"
)

// What can be wrong with a store, for errors.Is. The error that matches is a
// StoreError: it names the file, and says what to do.
var (
	// ErrNotAStore: the file is something else, and was left as it is.
	ErrNotAStore = errors.New("not a store of this package")
	// ErrNewerFormat: the file was written by a later version of this package.
	ErrNewerFormat = errors.New("format is newer than this program knows")
	// ErrDamaged: the file's content contradicts itself. Nothing is written to it.
	ErrDamaged = errors.New("damaged")
	// ErrReplaced: the file at the path is another store than the one opened.
	ErrReplaced = errors.New("replaced by another store")
	// ErrHeldElsewhere: another program has the file open and locked.
	ErrHeldElsewhere = errors.New("held by another program")
	// ErrClosed: Close was called.
	ErrClosed = errors.New("store is closed")
	// ErrUnsupported: this operating system is not one the package runs on.
	ErrUnsupported = errors.New("not supported on this operating system")
)

// StoreError says what is wrong with a store file. errors.Is and errors.As see
// its cause.
type StoreError struct {
	// Path is the file.
	Path string
	// Problem says what is wrong, and what to do where something can be done.
	Problem string
	// Err is the cause: one of this package's, the file system's or a context's.
	Err error
}

// Error names the file, the problem and the cause.
func (e *StoreError) Error() string {
	return fmt.Sprintf("store %q: %s: %v", e.Path, e.Problem, e.Err)
}

// Unwrap returns the cause.
func (e *StoreError) Unwrap() error { return e.Err }

// asKV makes the kv.Error that the contract asks for: what is not one already
// is a failure of the disk or of what is on it.
func asKV(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[kv.Error](err); ok {
		return e
	}
	return kv.Error{Code: kv.CodeIOError, Err: err}
}
