package main

import (
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// wrongClock is a process clock that runs at another rate than that of the machine, and a wall
// clock that steps. It implements elector.Clock.
type wrongClock struct {
	mu   sync.Mutex
	rate float64
	base time.Time     // what the process clock showed at from
	from time.Duration // on CLOCK_BOOTTIME
	step time.Duration // of the wall clock
}

func newWrongClock(rate float64) *wrongClock {
	return &wrongClock{rate: rate, base: time.Now().Round(0), from: clock.Boot()}
}

// Now returns the process clock. It never steps, also if its rate changes.
func (c *wrongClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *wrongClock) now() time.Time {
	return c.base.Add(time.Duration(float64(clock.Boot()-c.from) * c.rate))
}

// Wall returns the wall clock with its step.
func (c *wrongClock) Wall() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.step)
}

// setRate changes the rate of the process clock from now on.
func (c *wrongClock) setRate(rate float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	boot := clock.Boot()
	c.base, c.from, c.rate = c.base.Add(time.Duration(float64(boot-c.from)*c.rate)), boot, rate
}

// setStep sets the wall clock to d after that of the machine.
func (c *wrongClock) setStep(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.step = d
}

// real returns how long a duration of this clock takes.
func (c *wrongClock) real(d time.Duration) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(float64(d) / c.rate)
}

// AfterFunc calls f after d of this clock.
func (c *wrongClock) AfterFunc(d time.Duration, f func()) elector.Timer {
	return &wrongTimer{time.AfterFunc(c.real(d), f), c}
}

type wrongTimer struct {
	*time.Timer
	clock *wrongClock
}

// Reset sets the timer to d of the clock from now.
func (t *wrongTimer) Reset(d time.Duration) bool { return t.Timer.Reset(t.clock.real(d)) }
