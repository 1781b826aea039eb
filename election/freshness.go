package election

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
)

// Freshness is what one process knows of the age of the newest write of the leader record,
// on its own clock. A process that reads a leader record for the first time knows nothing:
// the leader may have died long ago. If it later reads a higher ballot, that was written
// after the earlier read began. The zero value knows nothing.
type Freshness struct {
	ballot       uint64
	nonce        uuid.UUID
	readAt       time.Time // when the newest read that saw this ballot began; zero: none
	writtenAfter time.Time // an instant before the commit of the ballot; zero: unknown
}

// Next returns the freshness after a read that began at start has returned leader. The
// reading start is always from the same monotonic clock.
func (f Freshness) Next(leader LeaderRecord, start time.Time) Freshness {
	switch {
	case leader.Lost(): // its ballot is derived
		return Freshness{}
	case !f.readAt.IsZero() && leader.Ballot > f.ballot && (leader.Nonce == f.nonce || !start.Before(f.readAt)):
		f.writtenAfter = f.readAt
	case f.readAt.IsZero(), leader.Ballot != f.ballot, leader.Nonce != f.nonce:
		// The first read, or the database was restored, or this late answer is from before that.
		f.writtenAfter = time.Time{}
	case start.Before(f.readAt): // it says nothing new
		return f
	}
	f.ballot, f.nonce, f.readAt = leader.Ballot, leader.Nonce, start
	return f
}

// Settled returns nil if leader is a settled answer to the question who leads: it has
// accepted, and its lease is live. By clock, the lease is live until the end that the
// record stores, compared with wall. By observation, it is live if the process knows that
// the record was written less than a lease before local. f is the freshness after the
// newest read, which returned leader.
//
// Otherwise Settled returns an *UnsettledError, which says why.
func (f Freshness) Settled(mode fdbelection.ExpiryMode, leader LeaderRecord, wall, local time.Time) error {
	if problem := f.problem(mode, leader, wall, local); problem != "" {
		return &UnsettledError{Leader: leader, Problem: problem}
	}
	return nil
}

// problem says why a leader is not settled, or nothing.
func (f Freshness) problem(mode fdbelection.ExpiryMode, leader LeaderRecord, wall, local time.Time) string {
	switch {
	case leader.Vacant():
		return "leadership is vacant"
	case leader.Lost():
		return "the leader record is missing"
	case !leader.Accepted:
		return fmt.Sprintf("%s was handed leadership in term %d and has not accepted it yet", leader.Identity, leader.Term)
	case mode == fdbelection.ExpiryByClock && leader.ExpiredAt(wall):
		return fmt.Sprintf("the lease of %s has expired by the local clock", leader.Identity)
	case mode == fdbelection.ExpiryByClock:
		return ""
	case f.writtenAfter.IsZero():
		return fmt.Sprintf("%s holds leadership in term %d and may be dead: no renewal was seen yet", leader.Identity, leader.Term)
	case !local.Before(f.writtenAfter.Add(leader.LeaseDuration)):
		return fmt.Sprintf("%s holds leadership in term %d and may be dead: the last renewal that was seen may be older than its lease",
			leader.Identity, leader.Term)
	}
	return ""
}

// UnsettledError says that there is no settled answer to the question who leads, and why.
type UnsettledError struct {
	// Leader is the leader record that was read last.
	Leader LeaderRecord
	// Problem says what is missing.
	Problem string
	// Err is why the wait has ended: the cause of its context, and the error of the store
	// if there is one. It is nil if nothing waited.
	Err error
}

// Error returns the problem and why the wait has ended.
func (e *UnsettledError) Error() string {
	if e.Err == nil {
		return "no settled leader: " + e.Problem
	}
	return fmt.Sprintf("no settled leader: %s: %v", e.Problem, e.Err)
}

// Unwrap returns Err.
func (e *UnsettledError) Unwrap() error { return e.Err }
