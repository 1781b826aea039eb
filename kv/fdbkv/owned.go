package fdbkv

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/apple/foundationdb/bindings/go/src/fdb"

	"github.com/fdbelection/fdbelection/kv"
)

// ownedTransaction is a transaction that this package created. It ends with its context.
type ownedTransaction struct {
	transaction
	ownership
	opts    *Options
	created time.Time
}

var _ kv.OwnedTransaction = (*ownedTransaction)(nil)

// begin returns an ownedTransaction on a transaction of the binding.
func begin(ctx context.Context, tr fdb.Transaction, opts *Options) (*ownedTransaction, error) {
	t := &ownedTransaction{opts: opts}
	t.tr, t.ctx, t.own = tr, ctx, &t.ownership
	t.created = now()
	if err := t.configure(); err != nil {
		return nil, err
	}
	t.bindContext()
	return t, nil
}

// configure sets the options of a new transaction or after a reset.
func (t *ownedTransaction) configure() error {
	t.limitUntil(t.opts.Timeout)
	if err := t.opts.limits(t.tr.Options()); err != nil {
		return err
	}
	return t.opts.attempt(t.tr.Options())
}

// bindContext binds the transaction to its context.
func (t *ownedTransaction) bindContext() {
	t.release()
	t.bind(t.ctx, t.tr)
	if t.ctx.Err() != nil {
		t.end(t.tr) // immediately, and not when the AfterFunc runs
	}
}

// Commit implements kv.OwnedTransaction.
func (t *ownedTransaction) Commit() (err error) {
	defer t.guardError(&err)
	if err := t.brokenError(); err != nil {
		return err
	}
	if cause := t.interruption(); cause != nil {
		t.abandon()
		return interrupted(cause)
	}
	answer, began, attempt := t.startCommit(t.tr)
	if answer == nil {
		return kv.Error{Code: kv.CodeTransactionTimedOut}
	}
	if err := answer.Get(); err != nil {
		e := t.failed(err)
		e.Committing = began
		return e
	}
	t.commit(attempt)
	return nil
}

// abandon ends the transaction because its context has ended. The reset makes its
// watches fail, and the cancellation makes all later operations fail.
func (t *ownedTransaction) abandon() {
	t.reset(t.tr, false)
	t.cancelWatches()
}

// GetCommittedVersion implements kv.OwnedTransaction.
func (t *ownedTransaction) GetCommittedVersion() (version int64, err error) {
	defer t.guardError(&err)
	if !t.hasCommitted() {
		return -1, nil // the client still has the version of a commit before a reset
	}
	version, err = t.tr.GetCommittedVersion()
	if err != nil {
		return -1, t.failed(err)
	}
	return version, nil
}

// OnError implements kv.OwnedTransaction. It also accepts an fdb.Error.
func (t *ownedTransaction) OnError(err error) (result error) {
	e, ok := errors.AsType[kv.Error](err)
	if !ok {
		raw, ok := errors.AsType[fdb.Error](err)
		if !ok {
			return err
		}
		e = kv.Error{Code: raw.Code}
	}
	defer t.guardError(&result)
	if err := t.brokenError(); err != nil {
		return err
	}
	answer := t.tr.OnError(fdb.Error{Code: e.Code}).Get()
	if cause := contextError(t.ctx); cause != nil {
		t.abandon()
		if !e.OnErrorRetries() {
			return err
		}
		return kv.Error{Code: e.Code, Committing: e.Committing, Err: withCause(cause, e.Err)}
	}
	if answer != nil {
		return t.notRetried(e, err, answer)
	}
	return t.prepareRetry()
}

// notRetried returns the result of OnError if the binding does not retry e.
func (t *ownedTransaction) notRetried(e kv.Error, err, answer error) error {
	a := t.failed(answer)
	t.markDead()
	if a.Code == e.Code {
		return err
	}
	if e.Outcome() != kv.NotCommitted { // keep the outcome of err
		a.Committing, a.Err = true, err
	}
	return a
}

// prepareRetry prepares the next attempt. Most options apply to one attempt only.
func (t *ownedTransaction) prepareRetry() error {
	t.cancelWatches()
	t.wasReset()
	t.bindContext()
	if err := t.opts.attempt(t.tr.Options()); err != nil {
		t.end(t.tr)
		return err
	}
	return nil
}

// Reset implements kv.OwnedTransaction. The options of the Database apply again.
func (t *ownedTransaction) Reset() {
	defer t.guard()
	t.reset(t.tr, true)
	t.cancelWatches()
	t.broken.Store(nil)
	t.created = now()
	t.bindContext()
	if err := t.configure(); err != nil {
		panic(err) // the guard recovers it, and the next use returns it
	}
}

// Cancel implements kv.OwnedTransaction.
func (t *ownedTransaction) Cancel() {
	defer t.guard()
	t.release()
	t.end(t.tr)
}

// SetRetryLimit implements kv.OwnedTransaction.
func (t *ownedTransaction) SetRetryLimit(retries int) {
	defer t.guard()
	if err := t.tr.Options().SetRetryLimit(int64(min(max(retries, -1), math.MaxInt32))); err != nil {
		panic(err)
	}
}

// SetTimeout implements kv.OwnedTransaction. d is rounded up to milliseconds, which
// FoundationDB uses.
func (t *ownedTransaction) SetTimeout(d time.Duration) {
	defer t.guard()
	t.limitUntil(d)
	if err := t.tr.Options().SetTimeout(milliseconds(d)); err != nil {
		panic(err)
	}
}

// limitUntil records when the time limit passes.
func (t *ownedTransaction) limitUntil(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.deadline = time.Time{}
	if d > 0 {
		t.deadline = t.created.Add(time.Duration(milliseconds(d)) * time.Millisecond)
	}
}

// now is the real clock, which FoundationDB's client always uses.
func now() time.Time { return time.Now() } //nolint:forbidigo // see above

// milliseconds rounds a duration up to milliseconds, which FoundationDB uses.
func milliseconds(d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return min(int64((d-1)/time.Millisecond)+1, math.MaxInt32)
}
