package fdbkv

import (
	"context"

	"github.com/apple/foundationdb/bindings/go/src/fdb"

	"github.com/fdbelection/fdbelection/kv"
)

// Wrap returns a kv.Transaction on a transaction of the caller, so that an election can
// use it:
//
//	_, err := db.Transact(func(tr fdb.Transaction) (any, error) {
//		return el.RunElectionCycle(fdbkv.Wrap(tr), ...)
//	})
//
// The package does not commit, retry or cancel the transaction and does not set its
// options. Errors of the election unwrap to the fdb.Error, by which Transact decides
// whether to retry. There is one exception: if the binding panics in a write, the
// transaction is cancelled, because a commit would lack that write.
//
// If Transact retries, a watch of an earlier attempt may still exist and fire with a
// later attempt, like the watches of the client itself. Cancel it at the start of the
// function.
//
// Never wrap a transaction with read-your-writes disabled (SetReadYourWritesDisable,
// SetSnapshotRywDisable). The package documentation says why.
func Wrap(tr fdb.Transaction) kv.Transaction {
	return WrapContext(context.Background(), tr)
}

// WrapContext is like Wrap, but when ctx ends, all waits end with an error of code 1025
// that matches ctx.Err(). The transaction itself and its requests continue.
func WrapContext(ctx context.Context, tr fdb.Transaction) kv.Transaction {
	t := &transaction{tr: tr}
	t.ctx = ctx
	return t
}

// WrapRead is like Wrap, for reading. If tr is a Snapshot of the binding, all reads are
// snapshot reads.
func WrapRead(tr fdb.ReadTransaction) kv.ReadTransaction {
	return WrapReadContext(context.Background(), tr)
}

// WrapReadContext is like WrapContext, for reading.
func WrapReadContext(ctx context.Context, tr fdb.ReadTransaction) kv.ReadTransaction {
	r := &reader{src: tr}
	r.ctx = ctx
	return r
}

// Unwrap returns the binding's transaction below a transaction of this package, for
// operations that package kv does not have. It returns false for a transaction of
// another engine.
//
// A function that Database.Transact runs may use the binding's panicking methods, such
// as MustGet. Transact handles the panics, like the binding's own Transact. The function
// must not commit, cancel or reset the transaction and must not call OnError.
func Unwrap(tr kv.ReadTransaction) (fdb.Transaction, bool) {
	switch t := tr.(type) {
	case *transaction:
		return t.tr, true
	case *ownedTransaction:
		return t.tr, true
	case *snapshot:
		return t.tr, true
	default:
		return fdb.Transaction{}, false
	}
}

// reader is a kv.ReadTransaction on a transaction of the binding.
type reader struct {
	scope
	src fdb.ReadTransaction
}

var _ kv.ReadTransaction = (*reader)(nil)

func (r *reader) Get(name []byte) kv.Future[[]byte] { return r.get(r.src, name) }

func (r *reader) GetRange(begin, end []byte, opts kv.RangeOptions) kv.Future[[]kv.KeyValue] {
	return r.getRange(r.src, begin, end, opts)
}

func (r *reader) GetReadVersion() kv.Future[int64] { return r.getReadVersion(r.src) }

// Snapshot implements kv.ReadTransaction.
func (r *reader) Snapshot() kv.ReadTransaction {
	if r.src == nil {
		return r // every operation fails
	}
	return WrapReadContext(r.ctx, r.src.Snapshot())
}
