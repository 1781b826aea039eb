package clock

import (
	"context"
	"time"
)

// Timers is an injected clock with timers of type T.
type Timers[T Stopper] interface {
	// AfterFunc calls f, in a goroutine of its own, after d has passed.
	AfterFunc(d time.Duration, f func()) T
}

// Stopper is a timer that can be stopped.
type Stopper interface{ Stop() bool }

// MinDelay is the shortest delay of a timer. Under the virtual time of
// testing/synctest, a timer that is due immediately runs in the goroutine that
// sets it. The race detector of Go 1.26 crashes if two of them do so at once.
const MinDelay = time.Nanosecond

// Sleep waits until d has passed on c. It returns ctx.Err() if ctx ends first.
func Sleep[T Stopper](ctx context.Context, c Timers[T], d time.Duration) error {
	_, err := Await(ctx, c, d, nil)
	return err
}

// Await waits until done is closed or d has passed on c, and reports whether done was
// closed. It returns ctx.Err() if ctx ends first. done may be nil.
func Await[T Stopper](ctx context.Context, c Timers[T], d time.Duration, done <-chan struct{}) (bool, error) {
	passed := make(chan struct{})
	timer := c.AfterFunc(d, func() { close(passed) })
	defer timer.Stop()
	select {
	case <-done:
		return true, nil
	case <-passed:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// AfterFunc calls f in a goroutine of its own after d has passed on the real clock. stop
// cancels the call, and reports whether it was still pending.
func AfterFunc(d time.Duration, f func()) (stop func() bool) { return time.AfterFunc(d, f).Stop }

// RealSleep waits until d has passed on the real clock. It returns ctx.Err() if
// ctx ends first.
func RealSleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// WithTimeout returns a context that ends when d has passed on c, with
// context.DeadlineExceeded as its cause.
func WithTimeout[T Stopper](ctx context.Context, c Timers[T], d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := c.AfterFunc(max(d, MinDelay), func() { cancel(context.DeadlineExceeded) })
	return ctx, func() {
		timer.Stop()
		cancel(context.Canceled)
	}
}
