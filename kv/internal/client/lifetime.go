package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

// lifetime is the context of one attempt of a transaction. It ends with its parent,
// with Cancel or Reset, or when the time limit has passed. It creates a real
// context only at the first call of Done, because a store that never waits calls
// only Err.
type lifetime struct {
	parent context.Context
	store  Store

	mu       sync.Mutex
	ended    bool
	deadline time.Time // on the store's clock; zero means none
	inner    context.Context
	cancel   context.CancelFunc
	watching bool // a goroutine is waiting for the deadline
}

var _ context.Context = (*lifetime)(nil)

// Deadline returns the earlier of the parent's deadline and the time limit.
func (l *lifetime) Deadline() (time.Time, bool) {
	l.mu.Lock()
	own := l.deadline
	l.mu.Unlock()
	d, ok := l.parent.Deadline()
	if own.IsZero() || (ok && d.Before(own)) {
		return d, ok
	}
	return own, true
}

// Done returns a channel that is closed when the lifetime ends.
func (l *lifetime) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inner == nil {
		l.inner, l.cancel = context.WithCancel(l.parent)
		if l.ended {
			l.cancel()
		}
	}
	l.watchDeadline()
	return l.inner.Done()
}

// watchDeadline starts a goroutine that ends the lifetime at its deadline by the
// store's clock. It does so only if Done has been called. l.mu is held.
func (l *lifetime) watchDeadline() {
	if l.deadline.IsZero() || l.watching || l.ended || l.inner == nil {
		return
	}
	l.watching = true
	deadline, inner := l.deadline, l.inner
	go func() {
		if l.store.Sleep(inner, deadline.Sub(l.store.Now())) != nil {
			return
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.watching = false
		if l.deadline.Equal(deadline) {
			l.cancel()
		} else {
			l.watchDeadline() // the deadline was moved
		}
	}()
}

// Err returns nil until the lifetime ends.
func (l *lifetime) Err() error {
	ended, passed := l.state()
	switch {
	case ended:
		return context.Canceled
	case passed:
		return context.DeadlineExceeded
	}
	return l.parent.Err()
}

// state reports whether the attempt was ended and whether its time limit has
// passed. It reads the clock without holding the lock, because the clock is user
// code.
func (l *lifetime) state() (ended, passed bool) {
	l.mu.Lock()
	ended, deadline := l.ended, l.deadline
	l.mu.Unlock()
	return ended, !deadline.IsZero() && !l.store.Now().Before(deadline)
}

// Value returns the value of the inner context, or of the parent before Done is
// called.
func (l *lifetime) Value(key any) any {
	l.mu.Lock()
	inner := l.inner
	l.mu.Unlock()
	if inner != nil {
		return inner.Value(key)
	}
	return l.parent.Value(key)
}

// setDeadline sets the time limit. The zero time removes it.
func (l *lifetime) setDeadline(t time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deadline = t
	l.watchDeadline()
}

// end ends the attempt and releases the context that Done created.
func (l *lifetime) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	if l.cancel != nil {
		l.cancel()
	}
}

// failure returns the Error that describes why the lifetime has ended, or nil. The
// Error has a cause only if the context ended first.
func (l *lifetime) failure() *kv.Error {
	ended, passed := l.state()
	switch {
	case ended:
		return &kv.Error{Code: kv.CodeTransactionCancelled}
	case l.parent.Err() != nil:
		return &kv.Error{Code: kv.CodeTransactionCancelled, Err: contextCause(l.parent)}
	case passed:
		return &kv.Error{Code: kv.CodeTransactionTimedOut}
	}
	return nil
}

// contextCause returns an error that matches both ctx.Err() and the cause of the
// cancellation.
func contextCause(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == nil || errors.Is(cause, err) {
		return cause
	}
	return withCause(err, cause)
}

// withCause adds the cause of a context's end to an error that does not have it.
func withCause(err, cause error) error {
	if cause == nil || errors.Is(err, cause) {
		return err
	}
	return fmt.Errorf("%w: %w", err, cause)
}
