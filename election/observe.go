package election

import (
	"time"

	"github.com/google/uuid"
)

// Observation is what one process has seen of the leader record, on its own
// clock. It is the base on which the process may judge that a lease is over
// without trusting the clock of any other process. The zero value has seen
// nothing.
//
// Its proof rests on the order of two stamps. An observation is stamped after
// the read that saw the ballot returned; a leader's belief counts from before
// the attempt that wrote that ballot began. A lease that was seen unchanged for
// its whole length is therefore over for the leader as well, as long as the rates
// of the two clocks differ by less than the margin.
type Observation struct {
	Term  uint64
	Nonce uuid.UUID
	// TermSince is when this tenure was first seen.
	TermSince time.Time
	Ballot    uint64
	// BallotSince is when this ballot was first seen.
	BallotSince time.Time
	// Lease is the lease of the last leader that was seen, or of the one before LostAt if
	// that is longer and not over yet.
	Lease time.Duration
	// LostAt is when the leader record was first seen to be gone, or its ballot to
	// have gone back: the records were removed, or restored from a backup. The leader
	// of before may go on believing for a lease from then on.
	LostAt time.Time
}

// Next returns the observation after leader was read. seen is the observer's
// clock, read after that read returned: always the same monotonic clock, one
// that counts suspension if there is one. Any change of the ballot starts its
// window again.
func (o Observation) Next(leader LeaderRecord, seen time.Time) Observation {
	if leader.Ballot < o.Ballot {
		o = o.Lost(seen)
	}
	if !o.ofTenure(leader) {
		o.Term, o.Nonce, o.TermSince = leader.Term, leader.Nonce, seen
		o.Ballot, o.BallotSince = leader.Ballot, seen
	}
	if o.Ballot != leader.Ballot {
		o.Ballot, o.BallotSince = leader.Ballot, seen
	}
	before := o.Lease
	switch {
	case leader.Vacant():
	case leader.Lost(), !o.LostAt.IsZero() && seen.Sub(o.LostAt) < before:
		o.Lease = max(before, leader.LeaseDuration) // that of the leader by the records that are gone
	default:
		o.Lease = leader.LeaseDuration
	}
	return o
}

// Lost returns the observation after the election was found to be gone, by a
// read that returned at seen. An observer that has seen no ballot has nothing to
// lose.
func (o Observation) Lost(seen time.Time) Observation {
	if o.Ballot == 0 {
		return o
	}
	return Observation{LostAt: seen, Lease: o.Lease}
}

func (o Observation) ofTenure(leader LeaderRecord) bool {
	return !o.TermSince.IsZero() && o.Term == leader.Term && o.Nonce == leader.Nonce
}

// LeaseExpired reports whether this very ballot was seen unchanged for its whole
// lease.
func (o Observation) LeaseExpired(leader LeaderRecord, now time.Time) bool {
	return o.ofTenure(leader) && o.Ballot == leader.Ballot && !now.Before(o.LeaseEnd(leader))
}

// LeaseEnd returns when this ballot, which stands, will have been seen for its whole
// lease. For a record that was lost the lease is the one that was seen before, if
// that is longer than the one of the config.
func (o Observation) LeaseEnd(leader LeaderRecord) time.Time {
	lease := leader.LeaseDuration
	if leader.Lost() {
		lease = max(lease, o.Lease)
	}
	return o.BallotSince.Add(lease)
}

// MayClaim reports whether this process may claim a leadership that
// another candidate holds or that is vacant. It has to wait only if it has seen an earlier leader record disappear: for one
// lease after that. lease is that of the config, which counts if it is longer than the
// one that was seen.
func (o Observation) MayClaim(lease time.Duration, now time.Time) bool {
	return o.LostAt.IsZero() || now.Sub(o.LostAt) >= max(o.Lease, lease)
}

// tenureAge is how long the tenure has been seen to last.
func (o Observation) tenureAge(leader LeaderRecord, now time.Time) time.Duration {
	if !o.ofTenure(leader) {
		return 0
	}
	return now.Sub(o.TermSince)
}
