package fdbkv

import (
	"context"

	"github.com/apple/foundationdb/bindings/go/src/fdb"

	"github.com/fdbelection/fdbelection/kv"
)

// Wrap lets an election work inside a transaction of the caller's:
//
//	_, err := db.Transact(func(tr fdb.Transaction) (any, error) {
//		return el.RunElectionCycle(fdbkv.Wrap(tr), ...)
//	})
//
// The transaction stays the caller's: nothing here commits, retries or cancels
// it or sets an option of it, and an error that comes back from the election
// still unwraps to the fdb.Error by which Transact decides whether to retry.
// One exception: where the binding panics in a write, the transaction is
// cancelled, since a commit would lack that write.
//
// A watch that was registered in an attempt that Transact runs again may live on
// and fire with a later attempt, as the client's own do: cancel it when the
// function begins anew.
//
// A transaction with read-your-writes disabled (SetReadYourWritesDisable,
// SetSnapshotRywDisable) must never be given to Wrap; the package
// documentation says why.
func Wrap(tr fdb.Transaction) kv.Transaction {
	return WrapContext(context.Background(), tr)
}

// WrapContext is Wrap with a limit to how long anything is awaited. Where ctx
// ends, a wait ends with an error of code 1025 that matches ctx.Err(); the
// transaction itself, and what was asked of the database, goes on.
func WrapContext(ctx context.Context, tr fdb.Transaction) kv.Transaction {
	t := &transaction{tr: tr}
	t.ctx = ctx
	return t
}

// WrapRead is Wrap for reading. A Snapshot of the binding's makes all reads
// snapshot reads.
func WrapRead(tr fdb.ReadTransaction) kv.ReadTransaction {
	return WrapReadContext(context.Background(), tr)
}

// WrapReadContext is WrapContext for reading.
func WrapReadContext(ctx context.Context, tr fdb.ReadTransaction) kv.ReadTransaction {
	r := &reader{src: tr}
	r.ctx = ctx
	return r
}

// Unwrap returns the binding's transaction below one of this package's, with
// which a caller can do what the contract of package kv does not have. It
// reports false for a transaction of another engine.
//
// A function that Database.Transact runs may use it with the binding's panicking
// methods (MustGet and the like): they are caught there, as in the binding's own
// Transact. It must not commit, cancel or reset it, nor use OnError.
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

// reader is a kv.ReadTransaction over one of the binding's.
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
		return r // whatever is asked of it fails
	}
	return WrapReadContext(r.ctx, r.src.Snapshot())
}
