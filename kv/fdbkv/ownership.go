package fdbkv

import (
	"context"
	"errors"
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
	// never begins. It is set under the lock that also covers the cancellation
	// itself: a commit comes either before both or after both.
	dead bool
	// attempt counts the resets, so that a commit does not speak for a later one.
	attempt int
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
	unbind := context.AfterFunc(ctx, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if !o.committed {
			o.dead = true
			tr.Cancel()
		}
	})
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

// end cancels tr, so that no commit of it begins.
func (o *ownership) end(tr fdb.Transaction) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dead = true
	tr.Cancel()
}

// reset makes tr as new, and cancels it where it must not be used any more.
func (o *ownership) reset(tr fdb.Transaction, usable bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	tr.Reset()
	o.renew()
	if !usable {
		o.dead = true
		tr.Cancel()
	}
}

// renewed says that the client has made the transaction as new.
func (o *ownership) renewed() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.renew()
}

// renew begins an attempt. o.mu is held.
func (o *ownership) renew() {
	o.committed, o.dead = false, false
	o.attempt++
}

// startCommit sends the commit of tr, and returns nil where it does not because
// the time limit has passed: then the client might refuse it already, and nobody
// could tell. began is false where the transaction was cancelled before, so that
// nothing is sent.
func (o *ownership) startCommit(tr fdb.Transaction) (answer fdb.FutureNil, began bool, attempt int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.dead && !o.deadline.IsZero() && !now().Before(o.deadline) {
		o.dead = true
		tr.Cancel()
		return nil, false, o.attempt
	}
	return tr.Commit(), !o.dead, o.attempt
}

// commit says that the commit of an attempt has succeeded: its watches are on
// their own, and its context has no hold on it any more.
func (o *ownership) commit(attempt int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if attempt != o.attempt {
		return // somebody has reset it since
	}
	for _, w := range o.watches {
		w.activate()
	}
	o.committed, o.watches = true, nil
	if o.unbind != nil {
		o.unbind()
		o.unbind = nil
	}
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

// kill says that no commit of the transaction will begin: the client has ended
// it already.
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
	return endedError{cause, answer}
}
