package kv

import "context"

// Database is an engine or a connection to one. It is safe for concurrent use.
type Database interface {
	// Transact runs fn in a transaction and commits it, again and again by
	// FoundationDB's rules: a retryable error of fn or of the commit waits its
	// back-off and runs fn anew; any other error comes back, and errors.Is finds it.
	// fn must be safe to run again even after an attempt that did commit (code
	// 1021). Where ctx ends, the error matches ctx.Err(). OutcomeOf tells what may
	// have been committed by any of the attempts.
	Transact(ctx context.Context, fn func(tr Transaction) error) error

	// ReadTransact runs fn with reads only, under the same rules, and commits
	// nothing.
	ReadTransact(ctx context.Context, fn func(tr ReadTransaction) error) error

	// CreateTransaction begins a transaction that the caller owns.
	CreateTransaction(ctx context.Context) (OwnedTransaction, error)
}

// Transact runs fn through db.Transact and returns the value of the attempt
// that committed.
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

// ReadTransact runs fn through db.ReadTransact and returns what its last run
// returned, with an error too.
func ReadTransact[T any](ctx context.Context, db Database, fn func(tr ReadTransaction) (T, error)) (T, error) {
	var value T
	err := db.ReadTransact(ctx, func(tr ReadTransaction) (err error) {
		value, err = fn(tr)
		return err
	})
	return value, err
}
