package bridge

import (
	"context"
	"errors"
)

// Lock is the lock, lease or election by which the old fleet elects its leader. The packages
// clientgo, etcd and redis have one each.
type Lock interface {
	// Acquire waits until this process holds the lock or ctx ends. It returns soon after ctx has
	// ended with the cause of ctx, and gives back what it may have acquired by then. If that fails, it
	// joins the error. It returns an error before the end of ctx if it cannot know when the lock is
	// free, for example because the store does not answer. A Gate has at most one call at a time.
	Acquire(ctx context.Context) (Held, error)
}

// Held is a lock that was acquired. It renews itself until Release is called. Its methods are safe
// for concurrent use.
type Held interface {
	// Holds reports whether the lock is held at the instant of the call. It does no I/O. It compares
	// a clock that goes on while the process is suspended. Once it is false it stays false.
	Holds() bool
	// Lost returns a channel that is closed when Holds becomes false, also by Release.
	Lost() <-chan struct{}
	// Release ends the lock and waits until that is done or ctx ends. It stops the renewals in any
	// case, so after an error the lock ends by its own lease. It is called once.
	Release(ctx context.Context) error
}

var (
	// ErrNotAcquired means that the old lock was not acquired: the limit has passed, or Acquire
	// failed. The work did not start.
	ErrNotAcquired = errors.New("the old lock was not acquired")
	// ErrLost means that the old lock was lost while the work ran. It is the cause of the context
	// of that work.
	ErrLost = errors.New("the old lock was lost")
	// ErrNotReleased means that the old lock could not be released. It ends by its own lease.
	ErrNotReleased = errors.New("the old lock could not be released and ends by its own lease")
)
