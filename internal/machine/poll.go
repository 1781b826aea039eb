package machine

import (
	"time"

	"github.com/fdbelection/fdbelection/election"
)

// pollSchedule decides when a follower looks at the seat. To know when a ballot was
// written it must have looked shortly before: so it looks right after the next
// renewal is due, and where that has not come, in short steps until it has. In
// step with the leader that is one look per heartbeat, and a ballot that stalls
// is dated to within a step.
//
// A leader's renewals are a heartbeat apart or a little more, never less. The
// plan is therefore a little short of a heartbeat: it slides towards the renewal
// until one look comes too early, and the next finds the edge anew.
//
// A leader may also renew early. The next look then finds a new ballot as
// expected, and only the leader's own clock tells that it is older than that: a
// hint that costs a few looks where it is wrong, and on which nothing else rests.
type pollSchedule struct {
	ballot    uint64
	written   time.Time // by the clock of the leader
	unchanged time.Time // the last look that found nothing new
	phased    bool      // the edge was found, and next is planned from it
	next      time.Time
}

// step is how closely a follower dates a ballot.
func step(heartbeat time.Duration) time.Duration { return max(heartbeat/10, time.Millisecond) }

// saw takes in a look that returned at seen, and decides on the next one.
func (c *pollSchedule) saw(leader *election.LeaderRecord, seen time.Time, heartbeat time.Duration) {
	gap := step(heartbeat)
	planned := heartbeat - heartbeat/256
	ballot, written := leader.Ballot, leader.LeaseExpiry.Add(-leader.LeaseDuration)
	early := written.Sub(c.written) < heartbeat-gap
	switch {
	case c.ballot == ballot:
		c.unchanged = seen
		if !seen.Before(c.next) { // else it looked for another reason
			c.next = seen.Add(gap)
		}
		return
	case !c.unchanged.IsZero() && seen.Sub(c.unchanged) <= 2*gap:
		c.phased, c.next = true, seen.Add(planned)
	case c.phased && ballot == c.ballot+1 && !early && !seen.Before(c.next.Add(-gap)) && seen.Before(c.next.Add(gap)):
		c.next = c.next.Add(planned)
	default: // it may be as old as a heartbeat: date the next one better
		c.phased, c.next = false, seen.Add(gap)
	}
	c.ballot, c.written = ballot, written
	c.next = latest(c.next, seen.Add(gap))
}

// idle plans a look once per heartbeat, for whom the age of a ballot is of no
// interest.
func (c *pollSchedule) idle(ballot uint64, seen time.Time, heartbeat time.Duration) {
	*c = pollSchedule{ballot: ballot, next: seen.Add(heartbeat)}
}
