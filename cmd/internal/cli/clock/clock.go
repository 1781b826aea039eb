// Package clock is what the command does with the clock of an elector: it waits
// on it, and has it run faster for a demonstration that is in a hurry.
package clock

import (
	"context"
	"time"

	"github.com/fdbelection/fdbelection/elector"
)

// Sleep waits until d has passed, or returns the error of ctx where that ends
// before.
func Sleep(ctx context.Context, c elector.Clock, d time.Duration) error {
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

// WithTimeout returns a context that ends when d has passed, with
// context.DeadlineExceeded as its cause.
func WithTimeout(ctx context.Context, c elector.Clock, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := c.AfterFunc(d, func() { cancel(context.DeadlineExceeded) })
	return ctx, func() {
		timer.Stop()
		cancel(context.Canceled)
	}
}
