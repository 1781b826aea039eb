package electorfake

import (
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/elector"
)

// standingClock is a clock that stands still until it is moved.
type standingClock struct {
	mu     sync.Mutex
	now    time.Time
	timers map[*timer]time.Time // when each pending timer is due
}

var _ elector.Clock = (*standingClock)(nil)

func newStandingClock() *standingClock {
	return &standingClock{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), timers: map[*timer]time.Time{}}
}

// Now implements elector.Clock.
func (c *standingClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Wall implements elector.Clock.
func (c *standingClock) Wall() time.Time { return c.Now() }

// AfterFunc implements elector.Clock.
func (c *standingClock) AfterFunc(d time.Duration, f func()) elector.Timer {
	t := &timer{clock: c, call: f}
	t.Reset(d)
	return t
}

// moveTo moves the clock forward and starts the timers that are due.
func (c *standingClock) moveTo(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.After(c.now) {
		c.now = now
	}
	for t, due := range c.timers {
		if !due.After(c.now) {
			delete(c.timers, t)
			go t.call()
		}
	}
}

// moveToNextTimer moves the clock until a timer is due.
func (c *standingClock) moveToNextTimer() {
	c.mu.Lock()
	var next time.Time
	for _, due := range c.timers {
		if next.IsZero() || due.Before(next) {
			next = due
		}
	}
	c.mu.Unlock()
	if !next.IsZero() {
		c.moveTo(next)
	}
}

// little is much less than a heartbeat.
const little = 50 * time.Millisecond

// moveALittle moves the clock by less than what ends a lease in the time that a command waits.
func (c *standingClock) moveALittle() { c.moveTo(c.Now().Add(little)) }

// timer is a timer of a standingClock.
type timer struct {
	clock *standingClock
	call  func()
}

// Stop implements elector.Timer.
func (t *timer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	_, pending := t.clock.timers[t]
	delete(t.clock.timers, t)
	return pending
}

// Reset implements elector.Timer.
func (t *timer) Reset(d time.Duration) bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	_, pending := t.clock.timers[t]
	if d <= 0 {
		delete(t.clock.timers, t)
		go t.call()
		return pending
	}
	t.clock.timers[t] = t.clock.now.Add(d)
	return pending
}
