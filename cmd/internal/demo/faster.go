package demo

import (
	"time"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// faster returns a clock that starts at the current times of c and runs speed times
// as fast. The speed must be above zero.
func faster(c elector.Clock, speed float64) elector.Clock {
	return &fasterClock{below: c, speed: speed, start: c.Now(), wall: c.Wall()}
}

type fasterClock struct {
	below elector.Clock
	speed float64
	// The process clock and the wall clock at the start.
	start, wall time.Time
}

var _ elector.Clock = (*fasterClock)(nil)

func (f *fasterClock) Now() time.Time  { return f.start.Add(f.passed()) }
func (f *fasterClock) Wall() time.Time { return f.wall.Add(f.passed()) }

// passed returns how long this clock has run, measured by itself.
func (f *fasterClock) passed() time.Duration {
	return time.Duration(float64(f.below.Now().Sub(f.start)) * f.speed)
}

// slower converts a duration of this clock to one of the clock below it.
func (f *fasterClock) slower(d time.Duration) time.Duration {
	return max(time.Duration(float64(d)/f.speed), clock.MinDelay)
}

func (f *fasterClock) AfterFunc(d time.Duration, call func()) elector.Timer {
	return fasterTimer{f.below.AfterFunc(f.slower(d), call), f}
}

type fasterTimer struct {
	elector.Timer
	clock *fasterClock
}

func (t fasterTimer) Reset(d time.Duration) bool { return t.Timer.Reset(t.clock.slower(d)) }
