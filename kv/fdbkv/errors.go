package fdbkv

import (
	"context"
	"errors"
	"fmt"

	"github.com/apple/foundationdb/bindings/go/src/fdb"

	"github.com/fdbelection/fdbelection/kv"
)

const (
	// codeBrokenPromise is the error of a versionstamp after a reset.
	codeBrokenPromise = 1100
	// codeOperationCancelled is the error of a cancelled future.
	codeOperationCancelled = 1101
	// codeInternalError is FoundationDB's internal_error. This package uses it for
	// failures of the binding that have no code.
	codeInternalError = 4100
)

// ErrClosed is the cause of every error of a closed Database.
var ErrClosed = errors.New("fdbkv: the database was closed")

// convert converts an error of the binding to a kv.Error with its code. The result
// unwraps to the fdb.Error, so that the binding's own retry loop can handle it.
func convert(err error) kv.Error {
	if e, ok := errors.AsType[kv.Error](err); ok {
		return e
	}
	if e, ok := err.(fdb.Error); ok { //nolint:errorlint // a wrapped error keeps its text
		return kv.Error{Code: e.Code, Err: bindingError{e}}
	}
	if e, ok := errors.AsType[fdb.Error](err); ok {
		return kv.Error{Code: e.Code, Err: err}
	}
	return kv.Error{Code: codeInternalError, Err: err}
}

// bindingError is an error of the binding as the cause of a kv.Error. Because it has a
// method Code, kv leaves out its text, which would repeat the code.
type bindingError struct{ err fdb.Error }

func (e bindingError) Error() string { return e.err.Error() }
func (e bindingError) Code() int     { return e.err.Code }
func (e bindingError) Unwrap() error { return e.err }

// panicError converts a panic of the binding to a kv.Error.
func panicError(panicked any) kv.Error {
	err, ok := panicked.(error)
	if !ok {
		err = fmt.Errorf("%v", panicked)
	}
	e := convert(err)
	if e.Code == codeInternalError {
		e.Err = fmt.Errorf("fdbkv: the binding panicked: %w", err)
	}
	return e
}

// contextError returns an error that matches both ctx.Err() and the cause of the
// cancellation, or nil if ctx has not ended.
func contextError(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		return nil
	}
	cause := context.Cause(ctx)
	if errors.Is(cause, err) {
		return cause
	}
	return fmt.Errorf("%w: %w", err, cause)
}

// interrupted returns the error of an operation whose context has ended.
func interrupted(cause error) kv.Error {
	return kv.Error{Code: kv.CodeTransactionCancelled, Err: cause}
}

// endedError combines the end of a context with the error of the binding, or with an
// earlier error. It matches both.
type endedError struct{ cause, answer error }

func (e endedError) Unwrap() []error { return []error{e.cause, e.answer} }

// Error returns the text of the cause. It leaves out a bindingError, which only says that
// the transaction was cancelled or repeats the code of the kv.Error around it.
func (e endedError) Error() string {
	if _, ok := e.answer.(bindingError); ok { //nolint:errorlint // a wrapped error has more text
		return e.cause.Error()
	}
	return fmt.Sprintf("%v (%v)", e.cause, e.answer)
}
