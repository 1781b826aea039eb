package election

import (
	"math"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/kv"
)

// ballotGap is what restoreFrom adds to the ballot in the term record, if the leader record
// is lost. No tenure can have made so many renewals since: one a millisecond for 34 years.
const ballotGap = 1 << 40

// restore gives a view that saw no leader record one in place of a lost one. Only elections
// without a leader record pay for this second read. It adds a read conflict, so two processes
// cannot both continue from one lost record.
func (e *LeaderElection) restore(tr kv.ReadTransaction, v *view) error {
	value, err := tr.Get(e.keys.term).Get()
	if err != nil || value == nil {
		return err
	}
	e.restoreFrom(v, value)
	return nil
}

// restoreFrom derives the leader record of a view from the term record, which says who led.
// The next change of the leader record writes it. If the term record does not allow that,
// the leader record of the view is unreadable.
//
// The ballot is above any that was written. The priority is the highest one, as the true one
// is unknown. The lease is that of the config. Its end is not known, so others claim once
// they have seen the record for a whole lease, even in an election by clock.
func (e *LeaderElection) restoreFrom(v *view, term []byte) {
	tenure, err := decodeTerm(e.keys.term, term)
	base := max(tenure.Ballot, tenure.Term)
	if err != nil || base >= record.MaxCount-2*ballotGap {
		v.unreadable.leader = e.leaderLost()
		return
	}
	v.lost, v.unreadable.leader = true, nil
	v.leader = LeaderRecord{Ballot: base + ballotGap, Term: tenure.Term, Nonce: tenure.Nonce, LeaseExpiry: record.Instant(record.Latest)}
	if tenure.Held {
		v.leader.Identity, v.leader.Accepted, v.leader.Priority = tenure.Identity, true, math.MaxInt32
		v.leader.LeaseDuration = v.config.LeaseDuration
	}
}

// Lost reports whether the stored leader record is gone and this one was derived from the
// term record. Then its LeaseExpiry says nothing.
func (l LeaderRecord) Lost() bool { return !l.Vacant() && l.Accepted && l.AcquiredAt.IsZero() }

// leaderLost returns the error for a leader record that is gone although there is a term
// record.
func (e *LeaderElection) leaderLost() error {
	return &fdbelection.InvalidStateError{
		Key: e.keys.leader, Record: "leader",
		Problem: "is missing although a term record stands: a live leader restores it with its next renewal; without one, run `fdbelect raise-term` or call RaiseTerm",
	}
}
