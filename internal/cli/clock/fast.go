package clock

import (
	"context"
	"time"
)

// Faster returns a clock that shows the time of c now, and from then on runs
// speed times as fast. The speed is above zero.
func Faster(c Clock, speed float64) Clock {
	return &fast{Clock: c, speed: speed, start: c.Now()}
}

type fast struct {
	Clock
	speed float64
	start time.Time
}

var _ Clock = (*fast)(nil)

func (f *fast) Now() time.Time {
	passed := f.Clock.Now().Sub(f.start)
	return f.start.Add(time.Duration(float64(passed) * f.speed))
}

// slower is how long d of this clock takes on the clock below it.
func (f *fast) slower(d time.Duration) time.Duration {
	return time.Duration(float64(d) / f.speed)
}

func (f *fast) AfterFunc(d time.Duration, call func()) Timer {
	return fastTimer{f.Clock.AfterFunc(f.slower(d), call), f}
}

func (f *fast) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return f.Clock.WithTimeout(ctx, f.slower(d))
}

type fastTimer struct {
	Timer
	clock *fast
}

func (t fastTimer) Reset(d time.Duration) bool { return t.Timer.Reset(t.clock.slower(d)) }
