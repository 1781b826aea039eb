package election

import (
	"errors"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
)

// GetLeaderRaw returns the leader record as it stands, whatever the clock says
// of its lease, by a snapshot read: for monitoring, and as the base of an
// Observation. If no candidate has ever led, it is the zero Leader. Errors:
// ErrNotInitialized, ErrInvalidState (also if the record is gone although a term
// record stands).
func (e *LeaderElection) GetLeaderRaw(tr kv.ReadTransaction) (LeaderRecord, error) {
	snapshot := tr.Snapshot()
	config, leader, term := snapshot.Get(e.keys.config), snapshot.Get(e.keys.leader), snapshot.Get(e.keys.term)
	value, err := config.Get()
	if err != nil {
		return LeaderRecord{}, err
	}
	if value == nil {
		return LeaderRecord{}, fdbelection.ErrNotInitialized
	}
	if value, err = leader.Get(); err != nil {
		return LeaderRecord{}, err
	}
	tenure, err := term.Get()
	switch {
	case err != nil:
		return LeaderRecord{}, err
	case value == nil && tenure != nil:
		return LeaderRecord{}, e.leaderLost()
	}
	return decodeLeader(e.keys.leader, value)
}

// GetLeader returns the leader whose lease is good at now, by the wall clock,
// and false if there is none: the leadership is vacant, its lease is over, or it
// was handed over and is not accepted yet.
//
// It compares now with an instant that the leader's own clock has written, so it
// is as right as the two clocks agree: it may name a leader whose lease is over,
// or none while there is one. It is for display and for routing, and nothing may be
// decided by it. A process that has to know whether it leads itself uses ValidUntil
// of its own cycle, or RequireLeadership. Errors: ErrNotInitialized,
// ErrInvalidState.
func (e *LeaderElection) GetLeader(tr kv.ReadTransaction, now time.Time) (LeaderRecord, bool, error) {
	leader, err := e.GetLeaderRaw(tr)
	if err != nil || leader.Vacant() || !leader.Accepted || leader.ExpiredAt(now) {
		return LeaderRecord{}, false, err
	}
	return leader, true, nil
}

// IsLeader reports whether this incarnation is what GetLeader returns. It takes no
// lock: work that must not outlive the tenure needs RequireLeadership in its own
// transaction. Errors: ErrNotInitialized, ErrInvalidState.
func (e *LeaderElection) IsLeader(tr kv.ReadTransaction, me Identity, now time.Time) (bool, error) {
	leader, leads, err := e.GetLeader(tr, now)
	return leads && leader.HeldBy(me), err
}

// Status is everything that an election says of its leadership, as of one version.
type Status struct {
	Config fdbelection.Config
	// Leader is the leader record. If that is lost, it is what the term record says
	// of it, and Unreadable tells.
	Leader LeaderRecord
	// Term is the term record. In a vacancy it names the last holder.
	Term    TermRecord
	Request Request
	// Unreadable names the records that could not be read, and were passed over
	// (ErrInvalidState); nil if there are none.
	Unreadable error
}

// ReadStatus returns the state, by one wave of snapshot reads. Errors:
// ErrNotInitialized, ErrInvalidState (of the config or the leader record).
func (e *LeaderElection) ReadStatus(tr kv.ReadTransaction) (Status, error) {
	load := e.beginRead(tr)
	term := tr.Snapshot().Get(e.keys.term)
	v, err := load.await()
	if err != nil {
		return Status{}, err
	}
	value, err := term.Get()
	if err != nil {
		return Status{}, err
	}
	var lost error
	if value != nil && v.leader.Ballot == 0 && v.unreadable.leader == nil {
		e.restoreFrom(&v, value)
		lost = e.leaderLost()
	}
	if err := v.decidable(); err != nil {
		return Status{}, err
	}
	state := Status{Config: v.config, Leader: v.leader, Request: v.intent}
	if value != nil {
		state.Term, err = decodeTenure(e.keys.term, value)
	}
	state.Unreadable = errors.Join(lost, v.unreadable.intent, err)
	return state, nil
}

// Watch asks for the next change of the tenure: a claim, a take-over, a
// resignation, a transfer. Renewals, and the acceptance of a seat that was handed
// over, do not fire it. Read the leader in the same
// transaction, so that nothing is missed in between; keep a timer beside it.
// Registering it makes the transaction conflict with changes of the tenure.
func (e *LeaderElection) Watch(tr kv.Transaction) kv.Watch { return tr.Watch(e.keys.term) }

// WatchRequest asks for the next change of what is asked of the leader, as
// Watch does for the tenure. It is for the leader. Registering it makes the
// transaction conflict with changes of the intent.
func (e *LeaderElection) WatchRequest(tr kv.Transaction) kv.Watch { return tr.Watch(e.keys.intent) }
