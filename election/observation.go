package election

import (
	"time"

	"github.com/google/uuid"
)

// Observation is what one process has seen of the leader record, and since when on its own
// clock. By it, the process can tell that a lease has expired without comparing its clock
// with that of another process. The zero value has seen nothing.
//
// An observation is dated after the read that saw the ballot has returned. A leader counts
// its lease from before the attempt that wrote the ballot began, which is earlier. If a
// process has seen one ballot for a whole lease, the lease has therefore expired for the
// leader as well, as long as the two clocks drift apart by less than the margin within one
// lease.
type Observation struct {
	Term  uint64
	Nonce uuid.UUID
	// TermSince is when this tenure was first seen.
	TermSince time.Time
	Ballot    uint64
	// BallotSince is when this ballot was first seen.
	BallotSince time.Time
	// Lease is the lease of the last leader that was seen. Until the lease of the leader
	// before LostAt has expired, it is the longer of the two.
	Lease time.Duration
	// LostAt is when the leader record was first seen to be missing, or its ballot to be
	// lower than before. The records were removed, or restored from a backup. The leader
	// that they named may lead for one more lease from then on.
	LostAt time.Time
}

// Next returns the observation after leader was read. The reading seen is taken after that
// read has returned, always from the same monotonic clock. That clock should count the time
// that the machine was suspended. Any change of the ballot restarts the lease.
func (o Observation) Next(leader LeaderRecord, seen time.Time) Observation {
	if leader.Ballot < o.Ballot {
		o = o.NextLost(seen)
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
		o.Lease = max(before, leader.LeaseDuration) // the leader that the lost records named may still lead
	default:
		o.Lease = leader.LeaseDuration
	}
	return o
}

// NextLost returns the observation after a read that returned at seen has found no election.
// An observation that has seen no ballot does not change.
func (o Observation) NextLost(seen time.Time) Observation {
	if o.Ballot == 0 {
		return o
	}
	return Observation{LostAt: seen, Lease: o.Lease}
}

func (o Observation) ofTenure(leader LeaderRecord) bool {
	return !o.TermSince.IsZero() && o.Term == leader.Term && o.Nonce == leader.Nonce
}

// MayClaim reports whether this process may claim or preempt, as far as a lost leader record
// is concerned. After it has seen one disappear, it has to wait for one lease. That is the
// longer of the lease that it saw and the lease of the config.
func (o Observation) MayClaim(lease time.Duration, now time.Time) bool {
	return o.LostAt.IsZero() || now.Sub(o.LostAt) >= max(o.Lease, lease)
}

// tenureAge returns for how long the tenure of leader was seen.
func (o Observation) tenureAge(leader LeaderRecord, now time.Time) time.Duration {
	if !o.ofTenure(leader) {
		return 0
	}
	return now.Sub(o.TermSince)
}
