package machine

import (
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// pollSchedule decides when a follower reads the leader record. To know when a ballot
// was written it must have read shortly before that. So it reads right after the next
// renewal is due, and then in short steps until the renewal is there. In phase with the
// leader this takes one read per heartbeat. It dates the last ballot of a leader to
// within a step.
//
// Two renewals of a leader are a heartbeat apart or a little more, never less. The
// planned interval is therefore a little shorter than a heartbeat. The reads drift
// towards the renewal until one comes too early. The next read then finds the renewal
// within a step, and the phase is known again.
//
// A leader may also renew early. The next read then finds a new ballot as expected, and
// only the leader's own clock shows that the ballot is older than that. A wrong clock
// costs a few reads. Nothing else depends on it.
type pollSchedule struct {
	readNow bool // something has called for a read, even if one is running already
	next    time.Time

	ballot    uint64
	written   time.Time // by the clock of the leader
	unchanged time.Time // of the last read that found the ballot unchanged
	phased    bool      // the time of a renewal is known, and next is planned from it
}

// pollStep is the shortest time between two polls, and how closely a follower dates a
// ballot. It is also the shortest time between several other retries.
func pollStep(heartbeat time.Duration) time.Duration { return max(heartbeat/10, time.Millisecond) }

// saw plans the next read after one that returned at seen.
func (p *pollSchedule) saw(leader *election.LeaderRecord, seen time.Time, heartbeat time.Duration) {
	gap := pollStep(heartbeat)
	planned := heartbeat - heartbeat/256
	ballot, written := leader.Ballot, leader.LeaseExpiry.Add(-leader.LeaseDuration)
	early := written.Sub(p.written) < heartbeat-gap
	switch {
	case p.ballot == ballot:
		p.unchanged = seen
		if !seen.Before(p.next) { // otherwise it was not the planned read
			p.next = seen.Add(gap)
		}
		return
	case !p.unchanged.IsZero() && seen.Sub(p.unchanged) <= 2*gap:
		p.phased, p.next = true, seen.Add(planned)
	case p.phased && ballot == p.ballot+1 && !early && !seen.Before(p.next.Add(-gap)) && seen.Before(p.next.Add(gap)):
		p.next = p.next.Add(planned)
	default: // the ballot may be as old as a heartbeat: date the next one better
		p.phased, p.next = false, seen.Add(gap)
	}
	p.ballot, p.written = ballot, written
	p.next = clock.Latest(p.next, seen.Add(gap))
}

// idle plans a read once per heartbeat, for a process that need not know the age of a
// ballot. A phase that was found before does not count any more.
func (p *pollSchedule) idle(ballot uint64, seen time.Time, heartbeat time.Duration) {
	*p = pollSchedule{readNow: p.readNow, ballot: ballot, next: seen.Add(heartbeat)}
}
