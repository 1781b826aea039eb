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
	if e, ok := errors.AsType[fdb.Error](err); ok {
		return kv.Error{Code: e.Code, Err: err}
	}
	return kv.Error{Code: codeInternalError, Err: err}
}

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
