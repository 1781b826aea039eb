package simulation

import (
	"math/rand/v2"
	"time"
)

// epoch is the beginning of simulated time.
var epoch = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

// clocks are the local clock and the wall clock of one host. Both run at the same rate.
type clocks struct {
	offset time.Duration // of the local clock from true time
	wall   time.Duration // offset of the wall clock, which may be set
	before time.Duration // offset of the wall clock before it was last set
	ppm    int64         // how much faster than true time they run, in parts per million
}

// scaled is how far the clocks advance during d, rounded down.
func (c *clocks) scaled(d time.Duration) time.Duration {
	whole, rest := int64(d)/1_000_000, int64(d)%1_000_000
	return d + time.Duration(whole*c.ppm) + time.Duration(floorDiv(rest*c.ppm, 1_000_000))
}

// local is the reading of the local clock.
func (c *clocks) local(now time.Duration) time.Time { return epoch.Add(c.offset + c.scaled(now)) }

// calendar is the reading of the wall clock.
func (c *clocks) calendar(now time.Duration) time.Time { return epoch.Add(c.wall + c.scaled(now)) }

// set sets the wall clock to another offset.
func (c *clocks) set(wall time.Duration) { c.before, c.wall = c.wall, wall }

// wait returns how much true time passes before the local clock shows at. It is exact to
// the nanosecond.
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

// lasts is the approximate true time in which these clocks advance by d.
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

// clockErrors are by how much the clocks of a run may be off.
type clockErrors struct {
	maxPPM int64         // the most by which the rate of a clock is off
	skew   time.Duration // the most by which a wall clock is off
}

// newClocksFrom draws the clocks of a host.
func (e *clockErrors) newClocksFrom(r *rand.Rand) clocks {
	c := clocks{offset: time.Duration(r.Int64N(int64(time.Hour))), ppm: r.Int64N(2*e.maxPPM+1) - e.maxPPM}
	if r.IntN(4) == 0 { // the margin must cover the extremes
		c.ppm = []int64{-e.maxPPM, e.maxPPM}[r.IntN(2)]
	}
	if e.skew > 0 {
		c.wall = time.Duration(r.Int64N(int64(2*e.skew))) - e.skew
		c.before = c.wall
	}
	return c
}
