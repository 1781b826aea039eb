package fdbkv

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/apple/foundationdb/bindings/go/src/fdb"

	"github.com/fdbelection/fdbelection/kv"
)

// ownership is what this package knows of a transaction of its own: how far it
// has got, and what its context and its limits have done to it. It decides what
// an error says about the commit.
type ownership struct {
	mu sync.Mutex
	// unbind takes the context's hold on the transaction away; nil where there is
	// none.
	unbind func() bool
	// committed: the commit has succeeded, and nothing can take it back.
	committed bool
	// dead: the transaction was cancelled or has timed out, so that a commit of it
	// never begins.
	dead bool
	// deadline of the transaction, or zero. FoundationDB's client keeps it too;
	// here it tells a commit that never began from one whose fate is open.
	deadline time.Time
	// watches of the attempt, until it is committed.
	watches []*watch
}

// bind makes the end of ctx cancel tr.
func (o *ownership) bind(ctx context.Context, tr fdb.Transaction) {
	if ctx.Done() == nil {
		return
	}
	cancel := func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if !o.committed {
			o.dead = true
			tr.Cancel()
		}
	}
	unbind := context.AfterFunc(ctx, cancel)
	o.mu.Lock()
	o.unbind = unbind
	o.mu.Unlock()
}

// release takes the hold of the context away.
func (o *ownership) release() {
	o.mu.Lock()
	unbind := o.unbind
	o.unbind = nil
	o.mu.Unlock()
	if unbind != nil {
		unbind()
	}
}

// hasCommitted reports whether the commit has succeeded.
func (o *ownership) hasCommitted() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.committed
}

// renew says that the transaction is as new, with the same deadline.
func (o *ownership) renew() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.committed, o.dead = false, false
}

// commit says that the commit has succeeded. Its watches are on their own.
func (o *ownership) commit() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.committed, o.watches = true, nil
}

// watching notes a watch of the attempt.
func (o *ownership) watching(w *watch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.watches = append(o.watches, w)
}

// giveUpWatches ends the watches of an attempt that was reset.
func (o *ownership) giveUpWatches() {
	o.mu.Lock()
	watches := o.watches
	o.watches = nil
	o.mu.Unlock()
	for _, w := range watches {
		w.giveUp()
	}
}

// kill says that no commit of the transaction will begin.
func (o *ownership) kill() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dead = true
}

// explain adds to e what is known here: that the context has ended, where that
// is why the transaction was cancelled.
func (o *ownership) explain(ctx context.Context, e kv.Error) kv.Error {
	switch e.Code {
	case kv.CodeTransactionTimedOut:
		o.kill()
	case kv.CodeTransactionCancelled, codeBrokenPromise:
		if cause := ended(ctx); cause != nil && !errors.Is(e.Err, cause) {
			e.Code, e.Err = kv.CodeTransactionCancelled, withCause(cause, e.Err)
		}
	}
	return e
}

// withCause joins the end of a context with what the binding answered.
func withCause(cause, answer error) error {
	if answer == nil {
		return cause
	}
	return fmt.Errorf("%w (%w)", cause, answer)
}
