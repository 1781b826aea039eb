// Package clock is time as the command uses it: the real one, or one that runs
// faster, for a demonstration that is in a hurry.
package clock

import (
	"context"
	"time"
)

// Clock tells the time and waits. It is safe for concurrent use.
type Clock interface {
	// Now is the time, with a monotonic reading.
	Now() time.Time
	// AfterFunc calls f in a goroutine of its own when d has passed.
	AfterFunc(d time.Duration, f func()) Timer
	// WithTimeout returns a context that ends with context.DeadlineExceeded when d
	// has passed.
	WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc)
}

// Timer is a call to come.
type Timer interface {
	// Stop takes the call back; it reports whether it was still to come.
	Stop() bool
	// Reset has the call come when d has passed from now.
	Reset(d time.Duration) bool
}

// Sleep waits until d has passed, or returns the error of ctx where that ends
// before.
func Sleep(ctx context.Context, c Clock, d time.Duration) error {
	passed := make(chan struct{})
	timer := c.AfterFunc(d, func() { close(passed) })
	defer timer.Stop()
	select {
	case <-passed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
