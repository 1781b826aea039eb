package election

import (
	"math"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
)

// ballotGap is how far the ballot goes on from the last one that the term record
// names, if the leader record is lost: more renewals than a tenure can have made
// since, at one a millisecond for 34 years.
const ballotGap = 1 << 40

// restore completes a view that saw no leader record, if one was lost. Only
// elections without a leader record pay for this second read. It is serialisable,
// so that no two processes go on from one lost record.
func (e *LeaderElection) restore(tr kv.Transaction, v *view) error {
	value, err := tr.Get(e.keys.term).Get()
	if err != nil || value == nil {
		return err
	}
	e.restoreFrom(v, value)
	return nil
}

// restoreFrom gives a view a leader record in place of the lost one, by the term
// record, which says who led. It is written with the next change of the leader
// record. If that is not possible, the leader record of the view is unreadable.
//
// Its ballot is above any that was written. Its priority is the highest, as the
// true one is unknown, and its lease the one of the config. No clock says when that
// ends, so others claim once they have seen it for a whole lease, in an election by
// clock as well.
func (e *LeaderElection) restoreFrom(v *view, term []byte) {
	tenure, err := decodeTenure(e.keys.term, term)
	base := max(tenure.Ballot, tenure.Term)
	if err != nil || base >= maxCount-2*ballotGap {
		v.unreadable.leader = e.leaderLost()
		return
	}
	v.lost, v.unreadable.leader = true, nil
	v.leader = LeaderRecord{Ballot: base + ballotGap, Term: tenure.Term, Nonce: tenure.Nonce, LeaseExpiry: instant(latest)}
	if tenure.Held {
		v.leader.Identity, v.leader.Accepted, v.leader.Priority = tenure.Identity, true, math.MaxInt32
		v.leader.LeaseDuration = v.config.LeaseDuration
	}
}

// Lost reports whether the leader record is gone, and a cycle tells of the tenure that
// the term record names in its place. Its LeaseExpiry says nothing then.
func (l LeaderRecord) Lost() bool { return !l.Vacant() && l.Accepted && l.AcquiredAt.IsZero() }

// leaderLost is the error of a leader record that is gone although a term record
// stands, for those who cannot go on from that.
func (e *LeaderElection) leaderLost() error {
	return &fdbelection.InvalidStateError{
		Key: e.keys.leader, Record: "leader",
		Problem: "is missing although a term record stands: a live leader restores it with its next renewal; else run `fdbelect raise-term`, or RaiseTerm",
	}
}
