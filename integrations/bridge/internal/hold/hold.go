// Package hold counts how long a lock is held, on the clock of the process that holds it.
package hold

import (
	"context"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/elector"
)

// Trust returns how much of a lease its holder uses. The rest covers clocks of different rates.
func Trust(lease time.Duration) time.Duration { return lease - lease/10 }

// Hold is a lock that is held until an instant. The instant moves with each renewal. A Hold that has
// ended stays ended.
type Hold struct {
	clock elector.Clock

	mu    sync.Mutex
	until time.Time
	ended bool
	timer elector.Timer
	lost  chan struct{}
}

// New returns a Hold that ends at until, on clock.Now.
func New(clock elector.Clock, until time.Time) *Hold {
	h := &Hold{clock: clock, until: until, lost: make(chan struct{})}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.timer = clock.AfterFunc(h.next(), h.check)
	return h
}

// Extend moves the end to until, or leaves it if it is later. It returns false if the Hold has ended.
func (h *Hold) Extend(until time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.holds() {
		return false
	}
	if until.After(h.until) {
		h.until = until
		h.timer.Reset(h.next())
	}
	return true
}

// Holds compares the clock.
func (h *Hold) Holds() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.holds()
}

// holds is Holds with h.mu held.
func (h *Hold) holds() bool {
	if !h.ended && !h.clock.Now().Before(h.until) {
		h.end()
	}
	return !h.ended
}

// Lost is closed when the Hold ends.
func (h *Hold) Lost() <-chan struct{} { return h.lost }

// End ends the Hold.
func (h *Hold) End() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.end()
}

func (h *Hold) end() {
	if h.ended {
		return
	}
	h.ended = true
	h.timer.Stop()
	close(h.lost)
}

// check ends the Hold, or waits on if it was extended meanwhile or the timer was early.
func (h *Hold) check() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.holds() {
		h.timer.Reset(h.next())
	}
}

// next returns when to look at the clock again. It is soon, because a timer does not count the time
// for which the machine was suspended.
func (h *Hold) next() time.Duration {
	return min(max(h.until.Sub(h.clock.Now()), time.Millisecond), time.Second)
}

// Keep renews a lease three times in its length until ctx or the Hold ends. renew makes one attempt
// and returns false if another holds the lock. After an error the next attempt comes sooner.
// A lease counts from before the attempt that renewed it.
func (h *Hold) Keep(ctx context.Context, lease time.Duration, renew func(context.Context) (bool, error)) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wait := lease / 3
	for Wait(ctx, h.clock, wait, h.lost) {
		begun := h.clock.Now()
		attempt, stop := Within(ctx, h.clock, lease/3)
		held, err := renew(attempt)
		stop()
		switch {
		case err != nil:
			wait = lease / 10
		case !held:
			h.End()
			return
		default:
			wait = lease / 3
			h.Extend(begun.Add(Trust(lease)))
		}
	}
}

// Within returns a context that ends after d on the clock, with the cause context.DeadlineExceeded. Call stop when
// what runs under it has returned.
func Within(ctx context.Context, clock elector.Clock, d time.Duration) (limited context.Context, stop func()) {
	limited, cancel := context.WithCancelCause(ctx)
	timer := clock.AfterFunc(d, func() { cancel(context.DeadlineExceeded) })
	return limited, func() {
		timer.Stop()
		cancel(nil)
	}
}

// Wait waits for d. It returns false if ctx ends or stop is closed before that.
func Wait(ctx context.Context, clock elector.Clock, d time.Duration, stop <-chan struct{}) bool {
	passed := make(chan struct{})
	timer := clock.AfterFunc(d, func() { close(passed) })
	defer timer.Stop()
	select {
	case <-passed:
		return ctx.Err() == nil
	case <-ctx.Done():
	case <-stop:
	}
	return false
}

// Clock returns the clock, or that of the machine if it is nil.
func Clock(c elector.Clock) elector.Clock {
	if c == nil {
		return elector.SystemClock()
	}
	return c
}
