package kv

import "context"

// Database is an engine, or a connection to one. It is safe for concurrent use.
type Database interface {
	// Transact runs fn in a transaction and commits it. If fn or the commit fails
	// with a retryable error, Transact waits the back-off and runs fn again, as
	// FoundationDB does. Any other error is returned, and errors.Is finds it.
	//
	// fn must be idempotent: it may run again after an attempt that did commit
	// (code 1021). If ctx ends, the error matches ctx.Err(). OutcomeOf of the error
	// covers all attempts.
	Transact(ctx context.Context, fn func(tr Transaction) error) error

	// ReadTransact runs fn with reads only, under the same retry rules. It commits
	// nothing.
	ReadTransact(ctx context.Context, fn func(tr ReadTransaction) error) error

	// CreateTransaction begins a transaction. The caller commits or cancels it.
	CreateTransaction(ctx context.Context) (OwnedTransaction, error)
}

// Transact runs fn through db.Transact and returns the value from the attempt that
// committed. If Transact fails, it returns the zero value.
func Transact[T any](ctx context.Context, db Database, fn func(tr Transaction) (T, error)) (T, error) {
	var value T
	err := db.Transact(ctx, func(tr Transaction) (err error) {
		value, err = fn(tr)
		return err
	})
	if err != nil {
		var zero T
		return zero, err
	}
	return value, nil
}

// ReadTransact runs fn through db.ReadTransact and returns the value of the last
// run, even if there is an error.
func ReadTransact[T any](ctx context.Context, db Database, fn func(tr ReadTransaction) (T, error)) (T, error) {
	var value T
	err := db.ReadTransact(ctx, func(tr ReadTransaction) (err error) {
		value, err = fn(tr)
		return err
	})
	return value, err
}
