package fdbkv

import (
	"context"
	"errors"
	"math"
	"time"

	"github.com/apple/foundationdb/bindings/go/src/fdb"

	"github.com/fdbelection/fdbelection/kv"
)

// ownedTransaction is a transaction that this package created, and that ends
// with its context.
type ownedTransaction struct {
	transaction
	ownership
	opts    *Options
	created time.Time
}

var _ kv.OwnedTransaction = (*ownedTransaction)(nil)

// begin makes a transaction of the binding's an own one.
func begin(ctx context.Context, tr fdb.Transaction, opts *Options) (*ownedTransaction, error) {
	t := &ownedTransaction{opts: opts}
	t.tr, t.ctx, t.own = tr, ctx, &t.ownership
	t.created = now()
	if err := t.configure(); err != nil {
		return nil, err
	}
	t.hold()
	return t, nil
}

// configure sets the options of a transaction that is new or was reset.
func (t *ownedTransaction) configure() error {
	t.limitUntil(t.opts.Timeout)
	if err := t.opts.limits(t.tr.Options()); err != nil {
		return err
	}
	return t.opts.attempt(t.tr.Options())
}

// hold binds the transaction to its context.
func (t *ownedTransaction) hold() {
	t.release()
	t.bind(t.ctx, t.tr)
	if t.ctx.Err() != nil {
		t.end(t.tr) // at once, and not only when the context gets to it
	}
}

// Commit implements kv.OwnedTransaction.
func (t *ownedTransaction) Commit() (err error) {
	defer t.guardError(&err)
	if err := t.spoilt(); err != nil {
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

// abandon ends the transaction because its context has ended. The reset makes
// its watches fail, and the cancellation whatever comes later.
func (t *ownedTransaction) abandon() {
	t.reset(t.tr, false)
	t.giveUpWatches()
}

// GetCommittedVersion implements kv.OwnedTransaction.
func (t *ownedTransaction) GetCommittedVersion() (version int64, err error) {
	defer t.guardError(&err)
	if !t.hasCommitted() {
		return -1, nil // the client still knows that of a commit before a reset
	}
	version, err = t.tr.GetCommittedVersion()
	if err != nil {
		return -1, t.failed(err)
	}
	return version, nil
}

// OnError implements kv.OwnedTransaction. An fdb.Error counts as well.
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
	if ill := t.spoilt(); ill != nil {
		return ill
	}
	answer := t.tr.OnError(fdb.Error{Code: e.Code}).Get()
	if cause := ended(t.ctx); cause != nil {
		t.abandon()
		if !e.OnErrorRetries() {
			return err
		}
		return kv.Error{Code: e.Code, Committing: e.Committing, Err: withCause(cause, e.Err)}
	}
	if answer != nil {
		return t.refused(e, err, answer)
	}
	return t.again()
}

// refused returns what OnError answers where the binding does not retry e.
func (t *ownedTransaction) refused(e kv.Error, err, answer error) error {
	a := t.failed(answer)
	t.kill()
	if a.Code == e.Code {
		return err
	}
	if e.Outcome() != kv.NotCommitted { // say no less than err does
		a.Committing, a.Err = true, err
	}
	return a
}

// again prepares the next attempt: most options last for one only.
func (t *ownedTransaction) again() error {
	t.giveUpWatches()
	t.renewed()
	t.hold()
	if err := t.opts.attempt(t.tr.Options()); err != nil {
		t.end(t.tr)
		return err
	}
	return nil
}

// Reset implements kv.OwnedTransaction. The options that the Database was given
// apply again.
func (t *ownedTransaction) Reset() {
	defer t.guard()
	t.reset(t.tr, true)
	t.giveUpWatches()
	t.ill.Store(nil)
	t.created = now()
	t.hold()
	if err := t.configure(); err != nil {
		panic(err) // for the guard: the next use tells
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

// SetTimeout implements kv.OwnedTransaction. FoundationDB counts milliseconds:
// d is rounded up to the next.
func (t *ownedTransaction) SetTimeout(d time.Duration) {
	defer t.guard()
	t.limitUntil(d)
	if err := t.tr.Options().SetTimeout(milliseconds(d)); err != nil {
		panic(err)
	}
}

// limitUntil notes when the time limit passes.
func (t *ownedTransaction) limitUntil(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.deadline = time.Time{}
	if d > 0 {
		t.deadline = t.created.Add(time.Duration(milliseconds(d)) * time.Millisecond)
	}
}

// now is the clock of FoundationDB's client, which has no other than the real
// one.
func now() time.Time { return time.Now() } //nolint:forbidigo // see above

// milliseconds rounds up, to what FoundationDB takes as a duration.
func milliseconds(d time.Duration) int64 {
	if d <= 0 {
		return 0
	}
	return min(int64((d-1)/time.Millisecond)+1, math.MaxInt32)
}
