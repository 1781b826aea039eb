package election

import (
	"time"

	"github.com/fdbelection/fdbelection"
)

// This file decides whether a lease has expired: LeaseExpired for the lease of another
// candidate, ownTenureEnded and ownLeaseExpired for the caller's own.

// LeaseExpired reports whether the lease of another candidate has expired, in the way that
// mode asks for. By clock, it compares wall with the end that the holder has stored. By
// observation, it compares local with seen, which are readings of one monotonic clock. It
// always does so for a lost leader record, which has no stored end.
func LeaseExpired(mode fdbelection.ExpiryMode, leader LeaderRecord, seen Observation, wall, local time.Time) bool {
	if mode == fdbelection.ExpiryByObservation || leader.Lost() {
		return seen.LeaseExpired(leader, local)
	}
	return leader.ExpiredAt(wall)
}

// ExpiredAt reports whether the lease has expired by the wall clock. At the stored instant
// it has expired.
func (l LeaderRecord) ExpiredAt(now time.Time) bool { return !now.Before(l.LeaseExpiry) }

// LeaseExpired reports whether the ballot of leader was seen unchanged for its whole lease.
func (o Observation) LeaseExpired(leader LeaderRecord, now time.Time) bool {
	return o.ofTenure(leader) && o.Ballot == leader.Ballot && !now.Before(o.LeaseEnd(leader))
}

// LeaseEnd returns when the ballot of leader will have been seen for its whole lease, if it
// does not change. For a lost leader record, that is the lease that was seen before if it
// is longer than the one of the config.
func (o Observation) LeaseEnd(leader LeaderRecord) time.Time {
	lease := leader.LeaseDuration
	if leader.Lost() {
		lease = max(lease, o.Lease)
	}
	return o.BallotSince.Add(lease)
}

// ownTenureEnded reports whether the caller's own tenure has ended for itself: it said so
// (EndedTerm), or its lease has expired. By observation, a caller that keeps its own
// observation says so itself.
func ownTenureEnded(v *view, c *caller) bool {
	if v.leader.Term <= c.endedTerm {
		return true
	}
	return (!c.observed || v.config.Expiry == fdbelection.ExpiryByClock) && v.leader.ownLeaseExpired(c.now)
}

// ownLeaseExpired reports whether the lease has expired by the wall clock of its holder. Until
// the holder has accepted a leadership that was handed over, it does not lead, so nothing
// has to end.
func (l LeaderRecord) ownLeaseExpired(now time.Time) bool { return l.Accepted && l.ExpiredAt(now) }
