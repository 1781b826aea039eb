package clock

import (
	"time"

	"github.com/fdbelection/fdbelection/elector"
)

// Faster returns a clock that shows the times of c now, and from then on runs
// speed times as fast. The speed is above zero.
func Faster(c elector.Clock, speed float64) elector.Clock {
	return &fast{below: c, speed: speed, start: c.Now(), wall: c.Wall()}
}

type fast struct {
	below elector.Clock
	speed float64
	// What both clocks showed at the beginning.
	start, wall time.Time
}

var _ elector.Clock = (*fast)(nil)

func (f *fast) Now() time.Time  { return f.start.Add(f.passed()) }
func (f *fast) Wall() time.Time { return f.wall.Add(f.passed()) }

// passed is how long this clock has run, on itself.
func (f *fast) passed() time.Duration {
	return time.Duration(float64(f.below.Now().Sub(f.start)) * f.speed)
}

// slower is how long d of this clock takes on the clock below it. It is never
// nothing: what is to happen later does not happen at once.
func (f *fast) slower(d time.Duration) time.Duration {
	return max(time.Duration(float64(d)/f.speed), 1)
}

func (f *fast) AfterFunc(d time.Duration, call func()) elector.Timer {
	return fastTimer{f.below.AfterFunc(f.slower(d), call), f}
}

type fastTimer struct {
	elector.Timer
	clock *fast
}

func (t fastTimer) Reset(d time.Duration) bool { return t.Timer.Reset(t.clock.slower(d)) }
