package kvtest

import (
	"context"
	"sync"
	"time"
)

// VirtualClock is the injected clock of an engine. A Sleep of up to half a second,
// the longest back-off with BackoffJitter, returns at once and is recorded. A
// longer Sleep, such as the wait for a transaction's time limit, lasts until
// Advance has passed that much time. It is safe for concurrent use.
type VirtualClock struct {
	mu     sync.Mutex
	now    time.Time
	moved  chan struct{} // closed by the next Advance
	waited []time.Duration
}

// longestBackoff is FoundationDB's maximum back-off, one second, times
// BackoffJitter.
const longestBackoff = time.Second / 2

// NewVirtualClock returns a clock that is set to a fixed time.
func NewVirtualClock() *VirtualClock {
	return &VirtualClock{
		now:   time.Date(2026, time.January, 1, 0, 0, 0, 0, time.UTC),
		moved: make(chan struct{}),
	}
}

// Now returns the current time.
func (c *VirtualClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance advances the clock by d.
func (c *VirtualClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	close(c.moved)
	c.moved = make(chan struct{})
}

// Sleep waits until d has passed, or ctx ends.
func (c *VirtualClock) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.mu.Lock()
	if d <= longestBackoff {
		c.waited = append(c.waited, d)
		c.mu.Unlock()
		return nil
	}
	until := c.now.Add(d)
	c.mu.Unlock()
	for {
		c.mu.Lock()
		over, moved := !c.now.Before(until), c.moved
		c.mu.Unlock()
		if over {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Waited returns the durations of the sleeps that returned at once, in order.
func (c *VirtualClock) Waited() []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]time.Duration(nil), c.waited...)
}

// Jitter returns BackoffJitter.
func (c *VirtualClock) Jitter() float64 { return BackoffJitter }
