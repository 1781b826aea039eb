package simulation

import "time"

// epoch is the beginning of simulated time.
var epoch = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// clocks are those of one host: each has its offset, and they run at a rate of
// their own.
type clocks struct {
	offset time.Duration // of the local clock: its epoch is of no interest
	wall   time.Duration // how far the wall clock is off; it may be set
	ppm    int64         // how much faster than true time they run
}

// scaled is how far the clocks go while d passes, rounded down.
func (c *clocks) scaled(d time.Duration) time.Duration {
	whole, rest := int64(d)/1_000_000, int64(d)%1_000_000
	return d + time.Duration(whole*c.ppm) + time.Duration(floorDiv(rest*c.ppm, 1_000_000))
}

// local is the local clock at a time.
func (c *clocks) local(now time.Duration) time.Time { return epoch.Add(c.offset + c.scaled(now)) }

// calendar is the wall clock at a time.
func (c *clocks) calendar(now time.Duration) time.Time { return epoch.Add(c.wall + c.scaled(now)) }

// wait is how long true time takes for the local clock to reach at, to the
// nanosecond: never shorter.
func (c *clocks) wait(now time.Duration, at time.Time) time.Duration {
	d := at.Sub(c.local(now))
	if d <= 0 {
		return 0
	}
	wait := c.lasts(d)
	for wait > 0 && !c.local(now+wait-1).Before(at) {
		wait--
	}
	for c.local(now + wait).Before(at) {
		wait++
	}
	return wait
}

// lasts is about how long true time takes for these clocks to go on by d.
func (c *clocks) lasts(d time.Duration) time.Duration {
	rate := 1_000_000 + c.ppm
	return time.Duration(int64(d)/rate*1_000_000 + int64(d)%rate*1_000_000/rate)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
