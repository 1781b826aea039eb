package fdbkv

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/apple/foundationdb/bindings/go/src/fdb"

	"github.com/fdbelection/fdbelection/kv"
)

// ownership is the state of a transaction that this package created: its progress, and
// the effects of its context and its time limit. It determines what an error says about
// the commit.
type ownership struct {
	mu sync.Mutex
	// unbind unbinds the transaction from its context. It is nil if it is not bound.
	unbind func() bool
	// committed is set when the commit has succeeded.
	committed bool
	// dead is set when the transaction was cancelled or has timed out. No commit of it
	// begins after that. The same lock covers the cancellation itself, so a commit
	// begins before both or after both.
	dead bool
	// attempt counts the resets, so that the result of a commit is not applied to a
	// later attempt.
	attempt int
	// deadline is the time limit of the transaction, or zero. FoundationDB's client has
	// it too. Here it distinguishes a commit that never began from one whose outcome is
	// unknown.
	deadline time.Time
	// watches holds the watches of the attempt until it is committed.
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

// release unbinds the transaction from its context.
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

// end cancels tr, so that no commit of it can begin.
func (o *ownership) end(tr fdb.Transaction) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dead = true
	tr.Cancel()
}

// reset resets tr. If it must not be used any more, reset also cancels it.
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

// wasReset records that the client has reset the transaction.
func (o *ownership) wasReset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.renew()
}

// renew starts a new attempt. o.mu is held.
func (o *ownership) renew() {
	o.committed, o.dead = false, false
	o.attempt++
}

// startCommit sends the commit of tr. If the time limit has passed, it does not send the
// commit and returns nil, because it could not tell whether the client has rejected it.
// began is false if the transaction was already cancelled, so that nothing is sent.
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

// commit records that the commit of an attempt has succeeded. The end of the context does
// not affect its watches any more.
func (o *ownership) commit(attempt int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if attempt != o.attempt {
		return // it was reset in the meantime
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

// watching records a watch of the attempt.
func (o *ownership) watching(w *watch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.watches = append(o.watches, w)
}

// cancelWatches ends the watches of an attempt that was reset.
func (o *ownership) cancelWatches() {
	o.mu.Lock()
	watches := o.watches
	o.watches = nil
	o.mu.Unlock()
	for _, w := range watches {
		w.cancelUncommitted()
	}
}

// markDead records that no commit of the transaction will begin, because the client has
// ended it.
func (o *ownership) markDead() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.dead = true
}

// explain adds the end of the context to e, if that is why the transaction was cancelled.
func (o *ownership) explain(ctx context.Context, e kv.Error) kv.Error {
	switch e.Code {
	case kv.CodeTransactionTimedOut:
		o.markDead()
	case kv.CodeTransactionCancelled, codeBrokenPromise:
		if cause := contextError(ctx); cause != nil && !errors.Is(e.Err, cause) {
			e.Code, e.Err = kv.CodeTransactionCancelled, withCause(cause, e.Err)
		}
	}
	return e
}

// withCause combines the end of a context with the error of the binding.
func withCause(cause, answer error) error {
	if answer == nil {
		return cause
	}
	return endedError{cause, answer}
}
