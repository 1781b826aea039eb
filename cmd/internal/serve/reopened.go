package serve

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/fdbelection/fdbelection/kv"
)

// reopened is a store that is opened again after an error that no retry can fix, such as a
// store file that was replaced. It only reads.
type reopened struct {
	open      func(ctx context.Context) (kv.Database, io.Closer, error)
	permanent func(error) bool
	onEnd     func(f func()) (stop func() bool) // calls f when the command ends

	mu     sync.RWMutex // held for reading while a transaction runs
	db     kv.Database  // nil: it has to be opened
	closer io.Closer
	ended  bool
}

// newReopened opens the store for the first time. When ctx ends, the reads that run end with it.
func newReopened(ctx context.Context, open func(ctx context.Context) (kv.Database, io.Closer, error), permanent func(error) bool) (*reopened, error) {
	r := &reopened{open: open, permanent: permanent, onEnd: func(f func()) func() bool { return context.AfterFunc(ctx, f) }}
	var err error
	r.db, r.closer, err = open(ctx)
	return r, err
}

// ReadTransact implements kv.Database.
func (r *reopened) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer r.onEnd(cancel)()
	for again := true; ; again = false {
		db, err := r.reopen(ctx)
		if err != nil {
			return err
		}
		err = r.readOn(ctx, db, fn)
		if err == nil || !r.permanent(err) {
			return err
		}
		r.close(db)
		if !again { // the store that was opened just now is as bad
			return err
		}
	}
}

// readOn reads from db, unless it was closed meanwhile.
func (r *reopened) readOn(ctx context.Context, db kv.Database, fn func(tr kv.ReadTransaction) error) error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.db != db {
		return kv.Error{Code: kv.CodeTransactionCancelled}
	}
	return db.ReadTransact(ctx, fn)
}

// errReadOnly is returned for every attempt to write.
var errReadOnly = errors.New("this store is opened to read only")

// Transact implements kv.Database. It writes nothing.
func (r *reopened) Transact(context.Context, func(tr kv.Transaction) error) error { return errReadOnly }

// CreateTransaction implements kv.Database. It begins nothing.
func (r *reopened) CreateTransaction(context.Context) (kv.OwnedTransaction, error) {
	return nil, errReadOnly
}

// reopen returns the store, and opens it if it was closed.
func (r *reopened) reopen(ctx context.Context) (kv.Database, error) {
	r.mu.RLock()
	db := r.db
	r.mu.RUnlock()
	if db != nil {
		return db, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return nil, kv.Error{Code: kv.CodeTransactionCancelled}
	}
	if r.db != nil {
		return r.db, nil
	}
	db, closer, err := r.open(ctx)
	if err != nil {
		return nil, err
	}
	r.db, r.closer = db, closer
	return db, nil
}

// close closes the store, if it is still db.
func (r *reopened) close(db kv.Database) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.db == db {
		r.closeLocked()
	}
}

func (r *reopened) closeLocked() {
	if r.db != nil {
		_ = r.closer.Close() // what was committed is safe
		r.db = nil
	}
}

// end closes the store for good.
func (r *reopened) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	r.closeLocked()
}
