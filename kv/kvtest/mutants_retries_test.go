package kvtest_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

// retryMutants are faults of retries, limits and contexts.
var retryMutants = []mutant{
	{name: "OnError never retries", killedBy: "Transact/RunsAgainAfterConflict", change: func(h *hooked) {
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
	{name: "OnError retries 1031 and 1039", killedBy: "Unsettled/ClusterVersionChangedApplied", change: func(h *hooked) {
		h.onError = func(err error) error {
			switch kv.CodeOf(err) {
			case kv.CodeClusterVersionChanged, kv.CodeTransactionTimedOut:
				h.OwnedTransaction.Reset()
				return nil
			}
			return h.OwnedTransaction.OnError(err)
		}
	}},
	{name: "OnError does not reset the transaction", killedBy: "RetryableTable/OnError", change: func(h *hooked) {
		h.onError = func(err error) error {
			if e, ok := errors.AsType[kv.Error](err); ok && e.OnErrorRetries() {
				return nil
			}
			return h.OwnedTransaction.OnError(err)
		}
	}},
	{name: "OnError does not unwrap errors", killedBy: "RetryableTable/Wrapped", change: func(h *hooked) {
		h.onError = func(err error) error {
			if e, ok := errors.AsType[kv.Error](err); ok && errors.Unwrap(err) == nil {
				return h.OwnedTransaction.OnError(e)
			}
			return err
		}
	}},
	{name: "OnError wraps the error that it returns", killedBy: "RetryableTable/OtherErrors", change: func(h *hooked) {
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
	{name: "OnError waits although it does not retry", killedBy: "OnErrorBackoff/NoWaitWithoutRetry", change: func(h *hooked) {
		h.onError = func(err error) error {
			_ = h.OwnedTransaction.OnError(kv.Error{Code: kv.CodeNotCommitted})
			return h.OwnedTransaction.OnError(err)
		}
	}},
	{name: "Reset does not reset the back-off", killedBy: "OnErrorBackoff/AfterReset", change: func(h *hooked) {
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
	{name: "1007 and 1009 back off like other codes", killedBy: "OnErrorBackoff/Flat", change: func(h *hooked) {
		h.onError = func(err error) error {
			switch kv.CodeOf(err) {
			case kv.CodeTransactionTooOld, kv.CodeFutureVersion:
				err = kv.Error{Code: kv.CodeNotCommitted}
			}
			return h.OwnedTransaction.OnError(err)
		}
	}},
	{name: "SetRetryLimit does nothing", killedBy: "RetryLimit/PastTheLimit", change: func(h *hooked) {
		h.setRetryLimit = func(int) {}
	}},
	{name: "the retry limit is one too high", killedBy: "RetryLimit/Zero", change: func(h *hooked) {
		h.setRetryLimit = func(retries int) { h.OwnedTransaction.SetRetryLimit(retries + 1) }
	}},
	{name: "a negative retry limit means zero", killedBy: "RetryLimit/Negative", change: func(h *hooked) {
		h.setRetryLimit = func(retries int) { h.OwnedTransaction.SetRetryLimit(max(0, retries)) }
	}},
	{name: "Reset keeps the retry limit", killedBy: "RetryLimit/Reset", change: func(h *hooked) {
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
	{name: "SetTimeout does nothing", killedBy: "Timeout/EveryUse", change: func(h *hooked) {
		h.setTimeout = func(time.Duration) {}
	}},
	{name: "OnError removes the time limit", killedBy: "Timeout/AcrossRetries", change: func(h *hooked) {
		h.onError = func(err error) error {
			h.OwnedTransaction.SetTimeout(0)
			return h.OwnedTransaction.OnError(err)
		}
	}},
	{name: "SetTimeout cannot remove the time limit", killedBy: "Timeout/Zero", change: func(h *hooked) {
		h.setTimeout = func(d time.Duration) {
			if d > 0 {
				h.OwnedTransaction.SetTimeout(d)
			}
		}
	}},
	{name: "Reset keeps the time limit", killedBy: "Timeout/Reset", change: func(h *hooked) {
		h.reset = func() { _ = h.OwnedTransaction.OnError(kv.Error{Code: kv.CodeNotCommitted}) }
	}},
	{name: "OnError retries after the context has ended", killedBy: "Context/EndsTheBackoff", change: func(h *hooked) {
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
		return ignoresContext{db}
	}},
	{name: "the error after the end of the context has no cause", killedBy: "Context/EndsBetween", change: func(h *hooked) {
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
	{name: "the end of a context ends every transaction", killedBy: "Context/OtherTransactions", db: func(db kv.Database) kv.Database {
		return &sharesFirstContext{Database: db}
	}},
	{name: "Transact gives up after one retry", killedBy: "Transact/RunsAgainAfterRetryableError", db: func(db kv.Database) kv.Database {
		return limitsRuns{db}
	}},
	{name: "Transact wraps the function's error", killedBy: "Transact/ReturnsOtherErrors", db: func(db kv.Database) kv.Database {
		return wrapsErrors{db}
	}},
	{name: "Transact turns a panic into an error", killedBy: "Transact/Panics", db: func(db kv.Database) kv.Database {
		return recoversPanics{db}
	}},
	{name: "Transact commits although the function fails", killedBy: "Transact/ReturnsOtherErrors", db: func(db kv.Database) kv.Database {
		return commitsFailures{db}
	}},
	{name: "Transact leaves its transaction open", killedBy: "Transact/EndsTheTransaction", db: func(db kv.Database) kv.Database {
		return leavesOpen{db}
	}},
	{name: "a panic leaves the database locked", killedBy: "Transact/Panics", db: func(db kv.Database) kv.Database {
		return &staysLocked{Database: db}
	}},
}

// ignoresContext is a database that ignores the end of contexts.
type ignoresContext struct{ kv.Database }

func (d ignoresContext) CreateTransaction(ctx context.Context) (kv.OwnedTransaction, error) {
	return d.Database.CreateTransaction(context.WithoutCancel(ctx))
}

func (d ignoresContext) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
	return d.Database.Transact(context.WithoutCancel(ctx), fn)
}

func (d ignoresContext) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) error {
	return d.Database.ReadTransact(context.WithoutCancel(ctx), fn)
}

// sharesFirstContext is a database that gives every transaction the context of the first.
type sharesFirstContext struct {
	kv.Database
	first context.Context
}

func (f *sharesFirstContext) CreateTransaction(ctx context.Context) (kv.OwnedTransaction, error) {
	if f.first == nil {
		f.first = ctx
	}
	return f.Database.CreateTransaction(f.first)
}

// limitsRuns is a database that runs a function at most twice.
type limitsRuns struct{ kv.Database }

var errTooManyRuns = errors.New("too many runs")

func (i limitsRuns) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
	runs := 0
	return i.Database.Transact(ctx, func(tr kv.Transaction) error {
		if runs++; runs > 2 {
			return errTooManyRuns
		}
		return fn(tr)
	})
}

func (i limitsRuns) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) error {
	runs := 0
	return i.Database.ReadTransact(ctx, func(tr kv.ReadTransaction) error {
		if runs++; runs > 2 {
			return errTooManyRuns
		}
		return fn(tr)
	})
}

// wrapsErrors is a database that wraps the errors of functions.
type wrapsErrors struct{ kv.Database }

func (w wrapsErrors) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
	if err := w.Database.Transact(ctx, fn); err != nil {
		return fmt.Errorf("transact: %w", err)
	}
	return nil
}

func (w wrapsErrors) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) error {
	if err := w.Database.ReadTransact(ctx, fn); err != nil {
		return fmt.Errorf("transact: %w", err)
	}
	return nil
}

// recoversPanics is a database that recovers from panics of functions.
type recoversPanics struct{ kv.Database }

func (c recoversPanics) Transact(ctx context.Context, fn func(tr kv.Transaction) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return c.Database.Transact(ctx, fn)
}

func (c recoversPanics) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return c.Database.ReadTransact(ctx, fn)
}

// commitsFailures is a database that commits even if the function fails.
type commitsFailures struct{ kv.Database }

func (c commitsFailures) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
	var failed error
	err := c.Database.Transact(ctx, func(tr kv.Transaction) error {
		failed = fn(tr)
		return nil
	})
	return errors.Join(err, failed)
}

// leavesOpen is a database whose transactions can be used after Transact.
type leavesOpen struct{ kv.Database }

func (l leavesOpen) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
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

// staysLocked is a database that stays locked after a panic of a function.
type staysLocked struct {
	kv.Database
	locked bool
}

func (l *staysLocked) Transact(ctx context.Context, fn func(tr kv.Transaction) error) error {
	l.locked = true
	err := l.Database.Transact(ctx, fn)
	l.locked = false
	return err
}

func (l *staysLocked) ReadTransact(ctx context.Context, fn func(tr kv.ReadTransaction) error) error {
	l.locked = true
	err := l.Database.ReadTransact(ctx, fn)
	l.locked = false
	return err
}

func (l *staysLocked) CreateTransaction(ctx context.Context) (kv.OwnedTransaction, error) {
	if l.locked {
		return nil, kv.Error{Code: kv.CodeDatabaseLocked}
	}
	return l.Database.CreateTransaction(ctx)
}
