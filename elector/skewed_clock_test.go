package elector_test

import (
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/elector"
)

// skewedClock is the clock of a process. It may run faster or slower than true time, jump,
// and show any wall time.
type skewedClock struct {
	mu    sync.Mutex
	rate  float64
	since time.Time // true time of the last change
	then  time.Time // what the clock showed
	wall  time.Duration
}

func newSkewedClock() *skewedClock {
	now := time.Now()
	return &skewedClock{rate: 1, since: now, then: now}
}

var _ elector.Clock = (*skewedClock)(nil)

// Now implements elector.Clock.
func (c *skewedClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *skewedClock) now() time.Time {
	return c.then.Add(time.Duration(float64(time.Since(c.since)) * c.rate))
}

// Wall implements elector.Clock.
func (c *skewedClock) Wall() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.wall)
}

// suspend lets d pass on the clock at once, like a suspension of the machine: its timers do
// not count that time. No time passes for other processes. So a follower that is suspended
// counts an unchanged leader record for longer than it was, and may take over too early.
func (c *skewedClock) suspend(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.then, c.since = c.now().Add(d), time.Now()
}

// setRate changes the rate of the clock.
func (c *skewedClock) setRate(rate float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.then, c.since, c.rate = c.now(), time.Now(), rate
}

// setWall sets the difference of the wall clock from true time.
func (c *skewedClock) setWall(offset time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wall = offset
}

func (c *skewedClock) trueTime(d time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return max(time.Duration(float64(d)/c.rate), 1)
}

// AfterFunc implements elector.Clock.
func (c *skewedClock) AfterFunc(d time.Duration, f func()) elector.Timer {
	return &skewedTimer{c, time.AfterFunc(c.trueTime(d), f)}
}

type skewedTimer struct {
	clock *skewedClock
	timer *time.Timer
}

// Stop implements elector.Timer.
func (t *skewedTimer) Stop() bool { return t.timer.Stop() }

// Reset implements elector.Timer.
func (t *skewedTimer) Reset(d time.Duration) bool { return t.timer.Reset(t.clock.trueTime(d)) }
