package campaign

import "time"

// cadence decides when a follower looks at the seat. To know when a ballot
// was written it must have looked shortly before: then it rests until the next
// renewal is due, and looks in short steps until that has come. So a stalled
// ballot is dated to within a step, at two or three reads per heartbeat.
type cadence struct {
	ballot    uint64
	unchanged time.Time // the last look that found nothing new
	next      time.Time
}

// step is how closely a follower dates a ballot.
func step(heartbeat time.Duration) time.Duration { return max(heartbeat/10, time.Millisecond) }

// saw takes in a look that returned at seen, and decides on the next one.
func (c *cadence) saw(ballot uint64, seen time.Time, heartbeat time.Duration) {
	gap := step(heartbeat)
	switch {
	case c.ballot == ballot && seen.Before(c.next): // looked for another reason
		c.unchanged = seen
	case c.ballot == ballot:
		c.unchanged = seen
		c.next = seen.Add(gap)
	case !c.unchanged.IsZero() && seen.Sub(c.unchanged) <= 2*gap:
		c.ballot = ballot
		c.next = c.unchanged.Add(heartbeat - gap/2)
		if soonest := seen.Add(gap); c.next.Before(soonest) {
			c.next = soonest
		}
	default: // it may be as old as a heartbeat: date the next one better
		c.ballot = ballot
		c.next = seen.Add(gap)
	}
}
