package election

import (
	"time"

	"github.com/google/uuid"
)

// Observation is what one process has seen of the seat, on its own clock: the
// base on which it may judge that a lease is over without trusting the clock
// of anybody else. The zero value has seen nothing.
//
// Its proof rests on the order of two stamps. An observation is stamped after
// the read that saw the ballot returned; a leader's belief counts from before
// the attempt that wrote that ballot began. A lease that was seen to stand
// still for its whole length is therefore over for the leader as well, as long
// as the rates of the two clocks differ by less than the margin.
type Observation struct {
	Term  uint64
	Nonce uuid.UUID
	// TermSince is when this tenure was first seen.
	TermSince time.Time
	Ballot    uint64
	// BallotSince is when this ballot was first seen.
	BallotSince time.Time
}

// Next returns the observation after leader was read. seen is the observer's
// clock, read after that read returned: always the same monotonic clock, one
// that goes on while the machine sleeps where there is one. Any change of the
// ballot starts its window anew.
func (o Observation) Next(leader Leader, seen time.Time) Observation {
	if !o.ofTenure(leader) {
		return Observation{
			Term: leader.Term, Nonce: leader.Nonce, TermSince: seen,
			Ballot: leader.Ballot, BallotSince: seen,
		}
	}
	if o.Ballot != leader.Ballot {
		o.Ballot, o.BallotSince = leader.Ballot, seen
	}
	return o
}

func (o Observation) ofTenure(leader Leader) bool {
	return !o.TermSince.IsZero() && o.Term == leader.Term && o.Nonce == leader.Nonce
}

// LeaseOver reports whether this very ballot stood still for its whole lease.
func (o Observation) LeaseOver(leader Leader, now time.Time) bool {
	return o.ofTenure(leader) && o.Ballot == leader.Ballot && now.Sub(o.BallotSince) >= leader.LeaseDuration
}

// tenureAge is how long the tenure has been seen to last.
func (o Observation) tenureAge(leader Leader, now time.Time) time.Duration {
	if !o.ofTenure(leader) {
		return 0
	}
	return now.Sub(o.TermSince)
}
