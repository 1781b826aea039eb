package fdbkv

import (
	"context"
	"errors"
	"fmt"

	"github.com/apple/foundationdb/bindings/go/src/fdb"

	"github.com/fdbelection/fdbelection/kv"
)

const (
	// codeBrokenPromise is what a versionstamp fails with after a reset.
	codeBrokenPromise = 1100
	// codeOperationCancelled is what a future fails with that was cancelled.
	codeOperationCancelled = 1101
	// codeInternalError is FoundationDB's internal_error. It stands for a failure
	// of the binding that has no code of its own.
	codeInternalError = 4100
)

// ErrClosed is the cause of every operation on a Database that was closed.
var ErrClosed = errors.New("fdbkv: the database was closed")

// convert makes a kv.Error of what the binding answered. It has the code, and
// unwraps to the fdb.Error, so that the binding's own retry loop still knows
// what to do with it.
func convert(err error) kv.Error {
	if e, ok := errors.AsType[kv.Error](err); ok {
		return e
	}
	if e, ok := err.(fdb.Error); ok { //nolint:errorlint // one that is wrapped keeps its text
		return kv.Error{Code: e.Code, Err: bindingError{e}}
	}
	if e, ok := errors.AsType[fdb.Error](err); ok {
		return kv.Error{Code: e.Code, Err: err}
	}
	return kv.Error{Code: codeInternalError, Err: err}
}

// bindingError is an error of the binding's as the cause of a kv.Error. Its
// method Code lets kv leave out the text, which says the same in other words.
type bindingError struct{ err fdb.Error }

func (e bindingError) Error() string { return e.err.Error() }
func (e bindingError) Code() int     { return e.err.Code }
func (e bindingError) Unwrap() error { return e.err }

// caught makes a kv.Error of what the binding panicked with.
func caught(panicked any) kv.Error {
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

// ended returns an error that matches both ctx.Err() and the cause that was
// given with the cancellation, or nil before the end.
func ended(ctx context.Context) error {
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

// interrupted is the answer of an operation that the context ended.
func interrupted(cause error) kv.Error {
	return kv.Error{Code: kv.CodeTransactionCancelled, Err: cause}
}

// endedError is the end of a context together with what the binding answered
// then, or what was wrong before. It matches both.
type endedError struct{ cause, answer error }

func (e endedError) Unwrap() []error { return []error{e.cause, e.answer} }

// Error returns the cause. The binding's own error adds nothing: it says that the
// context cancelled the transaction, or repeats the code of the kv.Error around it.
func (e endedError) Error() string {
	if _, ok := e.answer.(bindingError); ok { //nolint:errorlint // one that is wrapped says more
		return e.cause.Error()
	}
	return fmt.Sprintf("%v (%v)", e.cause, e.answer)
}
