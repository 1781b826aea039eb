package kvtest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

// Faults of retries, limits and contexts.
var retryMutants = []mutant{
	{name: "OnError retries nothing", killedBy: "Transact/RunsAgainAfterConflict", change: func(h *hooked) {
		h.onError = func(err error) error { return err }
	}},
	{name: "OnError retries everything", killedBy: "RetryableTable/OnError", change: func(h *hooked) {
		h.onError = func(error) error {
			if err := h.ctx.Err(); err != nil {
				return err
			}
			h.OwnedTransaction.Reset()
			return nil
		}
	}},
	{name: "OnError retries what may have been committed", killedBy: "Unsettled/ClusterVersionChangedApplied", change: func(h *hooked) {
		h.onError = func(err error) error {
			switch kv.CodeOf(err) {
			case kv.CodeClusterVersionChanged, kv.CodeTransactionTimedOut:
				h.OwnedTransaction.Reset()
				return nil
			}
			return h.OwnedTransaction.OnError(err)
		}
	}},
	{name: "OnError does not make the transaction new", killedBy: "RetryableTable/OnError", change: func(h *hooked) {
		h.onError = func(err error) error {
			if e, ok := errors.AsType[kv.Error](err); ok && e.OnErrorRetries() {
				return nil
			}
			return h.OwnedTransaction.OnError(err)
		}
	}},
	{name: "OnError does not look into wrapped errors", killedBy: "RetryableTable/Wrapped", change: func(h *hooked) {
		h.onError = func(err error) error {
			if e, ok := errors.AsType[kv.Error](err); ok && errors.Unwrap(err) == nil {
				return h.OwnedTransaction.OnError(e)
			}
			return err
		}
	}},
	{name: "OnError wraps what it returns", killedBy: "RetryableTable/ForeignErrors", change: func(h *hooked) {
		h.onError = func(err error) error {
			if err := h.OwnedTransaction.OnError(err); err != nil {
				return fmt.Errorf("not retried: %w", err)
			}
			return nil
		}
	}},
	{name: "OnError does not wait", killedBy: "OnErrorBackoff/Doubles", change: func(h *hooked) {
		h.onError = func(err error) error {
			if e, ok := errors.AsType[kv.Error](err); ok && e.OnErrorRetries() {
				h.OwnedTransaction.Reset()
				return nil
			}
			return err
		}
	}},
	{name: "OnError waits before it refuses", killedBy: "OnErrorBackoff/NoWaitWithoutRetry", change: func(h *hooked) {
		h.onError = func(err error) error {
			_ = h.OwnedTransaction.OnError(kv.Error{Code: kv.CodeNotCommitted})
			return h.OwnedTransaction.OnError(err)
		}
	}},
	{name: "the back-off does not begin anew", killedBy: "OnErrorBackoff/AfterReset", change: func(h *hooked) {
		retries := 0
		h.onError = func(err error) error {
			retries++
			return h.OwnedTransaction.OnError(err)
		}
		h.reset = func() {
			h.OwnedTransaction.Reset()
			for range retries {
				_ = h.OwnedTransaction.OnError(kv.Error{Code: kv.CodeNotCommitted})
			}
		}
	}},
	{name: "1007 and 1009 back off like the others", killedBy: "OnErrorBackoff/Flat", change: func(h *hooked) {
		h.onError = func(err error) error {
			switch kv.CodeOf(err) {
			case kv.CodeTransactionTooOld, kv.CodeFutureVersion:
				err = kv.Error{Code: kv.CodeNotCommitted}
			}
			return h.OwnedTransaction.OnError(err)
		}
	}},
	{name: "there is no retry limit", killedBy: "RetryLimit/PastTheLimit", change: func(h *hooked) {
		h.setRetryLimit = func(int) {}
	}},
	{name: "the retry limit is one too high", killedBy: "RetryLimit/Zero", change: func(h *hooked) {
		h.setRetryLimit = func(retries int) { h.OwnedTransaction.SetRetryLimit(retries + 1) }
	}},
	{name: "a negative retry limit is zero", killedBy: "RetryLimit/Negative", change: func(h *hooked) {
		h.setRetryLimit = func(retries int) { h.OwnedTransaction.SetRetryLimit(max(0, retries)) }
	}},
	{name: "the retry limit outlives a reset", killedBy: "RetryLimit/Reset", change: func(h *hooked) {
		limit := -1
		h.setRetryLimit = func(retries int) {
			limit = retries
			h.OwnedTransaction.SetRetryLimit(retries)
		}
		h.reset = func() {
			h.OwnedTransaction.Reset()
			h.OwnedTransaction.SetRetryLimit(limit)
		}
	}},
	{name: "there is no time limit", killedBy: "Timeout/EveryUse", change: func(h *hooked) {
		h.setTimeout = func(time.Duration) {}
	}},
	{name: "the time limit is gone after a retry", killedBy: "Timeout/AcrossRetries", change: func(h *hooked) {
		h.onError = func(err error) error {
			h.OwnedTransaction.SetTimeout(0)
			return h.OwnedTransaction.OnError(err)
		}
	}},
	{name: "a time limit cannot be taken away", killedBy: "Timeout/Zero", change: func(h *hooked) {
		h.setTimeout = func(d time.Duration) {
			if d > 0 {
				h.OwnedTransaction.SetTimeout(d)
			}
		}
	}},
	{name: "the time limit outlives a reset", killedBy: "Timeout/Reset", change: func(h *hooked) {
		h.reset = func() { _ = h.OwnedTransaction.OnError(kv.Error{Code: kv.CodeNotCommitted}) }
	}},
	{name: "retries go on when the context has ended", killedBy: "Context/EndsTheBackoff", change: func(h *hooked) {
		retries := 0
		h.onError = func(err error) error {
			e, ok := errors.AsType[kv.Error](err)
			if retries++; retries > 100 || !ok || !e.OnErrorRetries() {
				return err
			}
			h.OwnedTransaction.Reset()
			return nil
		}
	}},
	{name: "the context is ignored", killedBy: "Context/EndedBefore", db: func(db kv.Database) kv.Database {
		return deaf{db}
	}},
	{name: "the end of the context has no cause", killedBy: "Context/EndsBetween", change: func(h *hooked) {
		causeless := func(err error) error {
			if e, ok := errors.AsType[kv.Error](err); ok {
				e.Err = nil
				return e
			}
			return err
		}
		h.get = func(key []byte) kv.Future[[]byte] {
			inner := h.OwnedTransaction.Get(key)
			return lazily[[]byte](func() ([]byte, error) {
				value, err := inner.Get()
				return value, causeless(err)
			})
		}
		h.commit = func() error { return causeless(h.OwnedTransaction.Commit()) }
	}},
	{name: "the end of a context ends every transaction", killedBy: "Context/OthersGoOn", db: func(db kv.Database) kv.Database {
		return &fickle{Database: db}
	}},
	{name: "Transact gives up after one retry", killedBy: "Transact/RunsAgainAfterRetryableError", db: func(db kv.Database) kv.Database {
		return impatient{db}
	}},
	{name: "Transact wraps the function's error", killedBy: "Transact/ReturnsOtherErrors", db: func(db kv.Database) kv.Database {
		return wrapping{db}
	}},
	{name: "Transact turns a panic into an error", killedBy: "Transact/Panics", db: func(db kv.Database) kv.Database {
		return catching{db}
	}},
	{name: "Transact commits when the function fails", killedBy: "Transact/ReturnsOtherErrors", db: func(db kv.Database) kv.Database {
		return careless{db}
	}},
	{name: "Transact leaves its transaction open", killedBy: "Transact/EndsItsTransaction", db: func(db kv.Database) kv.Database {
		return lingering{db}
	}},
	{name: "a panic leaves the database locked", killedBy: "Transact/Panics", db: func(db kv.Database) kv.Database {
		return &locking{Database: db}
	}},
}

// deaf is a database that does not listen to contexts.
type deaf struct{ kv.Database }

func (d deaf) CreateTransaction(ctx context.Context) (kv.OwnedTransaction, error) {
	return d.Database.CreateTransaction(context.WithoutCancel(ctx))
}

func (d deaf) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
	return d.Database.Transact(context.WithoutCancel(ctx), fn)
}

func (d deaf) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) error {
	return d.Database.ReadTransact(context.WithoutCancel(ctx), fn)
}

// fickle is a database that gives every transaction the first one's context.
type fickle struct {
	kv.Database
	first context.Context
}

func (f *fickle) CreateTransaction(ctx context.Context) (kv.OwnedTransaction, error) {
	if f.first == nil {
		f.first = ctx
	}
	return f.Database.CreateTransaction(f.first)
}

// impatient is a database whose loops run a function twice at the most.
type impatient struct{ kv.Database }

var errImpatient = errors.New("no more")

func (i impatient) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
	runs := 0
	return i.Database.Transact(ctx, func(tr kv.Transaction) error {
		if runs++; runs > 2 {
			return errImpatient
		}
		return fn(tr)
	})
}

func (i impatient) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) error {
	runs := 0
	return i.Database.ReadTransact(ctx, func(tr kv.ReadTransaction) error {
		if runs++; runs > 2 {
			return errImpatient
		}
		return fn(tr)
	})
}

// wrapping is a database whose loops decorate errors.
type wrapping struct{ kv.Database }

func (w wrapping) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
	if err := w.Database.Transact(ctx, fn); err != nil {
		return fmt.Errorf("transact: %w", err)
	}
	return nil
}

func (w wrapping) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) error {
	if err := w.Database.ReadTransact(ctx, fn); err != nil {
		return fmt.Errorf("transact: %w", err)
	}
	return nil
}

// catching is a database whose loops recover from panics.
type catching struct{ kv.Database }

func (c catching) Transact(ctx context.Context, fn func(tr kv.Transaction) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return c.Database.Transact(ctx, fn)
}

func (c catching) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return c.Database.ReadTransact(ctx, fn)
}

// careless is a database that commits whatever the function says.
type careless struct{ kv.Database }

func (c careless) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
	var failed error
	err := c.Database.Transact(ctx, func(tr kv.Transaction) error {
		failed = fn(tr)
		return nil
	})
	return errors.Join(err, failed)
}

// lingering is a database whose transactions can be used after their loop.
type lingering struct{ kv.Database }

func (l lingering) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
	tr, err := l.CreateTransaction(ctx)
	if err != nil {
		return err
	}
	for {
		err := fn(tr)
		if err == nil {
			err = tr.Commit()
		}
		if err == nil {
			tr.Reset()
			return nil
		}
		if err = tr.OnError(err); err != nil {
			return err
		}
	}
}

// locking is a database that runs one function at a time, and forgets to
// unlock when it panics.
type locking struct {
	kv.Database
	locked bool
}

func (l *locking) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
	l.locked = true
	err := l.Database.Transact(ctx, fn)
	l.locked = false
	return err
}

func (l *locking) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) error {
	l.locked = true
	err := l.Database.ReadTransact(ctx, fn)
	l.locked = false
	return err
}

func (l *locking) CreateTransaction(ctx context.Context) (kv.OwnedTransaction, error) {
	if l.locked {
		return nil, kv.Error{Code: kv.CodeDatabaseLocked}
	}
	return l.Database.CreateTransaction(ctx)
}
