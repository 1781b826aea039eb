package election

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
)

// GetLeaderRaw returns the leader record as it stands, whatever the clock says
// of its lease, by a snapshot read: for monitoring, and as the base of an
// Observation. A seat that was never held is the zero Leader. Errors:
// ErrNotInitialized, ErrInvalidState.
func (e *LeaderElection) GetLeaderRaw(tr kv.ReadTransaction) (Leader, error) {
	snapshot := tr.Snapshot()
	config, leader := snapshot.Get(e.keys.config), snapshot.Get(e.keys.leader)
	value, err := config.Get()
	if err != nil {
		return Leader{}, err
	}
	if value == nil {
		return Leader{}, fdbelection.ErrNotInitialized
	}
	if value, err = leader.Get(); err != nil {
		return Leader{}, err
	}
	return decodeLeader(e.keys.leader, value)
}

// GetLeader returns the leader whose lease is good at now, by the wall clock,
// and false where there is none: the seat is vacant, its lease is over, or it
// was handed over and not accepted yet. In an election by observation this is
// as good as the clocks agree, and nothing may be decided by it. Errors:
// ErrNotInitialized, ErrInvalidState.
func (e *LeaderElection) GetLeader(tr kv.ReadTransaction, now time.Time) (Leader, bool, error) {
	leader, err := e.GetLeaderRaw(tr)
	if err != nil || leader.Vacant() || !leader.Accepted || leader.ExpiredAt(now) {
		return Leader{}, false, err
	}
	return leader, true, nil
}

// IsLeader reports whether this incarnation is what GetLeader returns. It is a
// look and no lock: work that must not outlive the tenure needs
// RequireLeadership in its own transaction. Errors: ErrNotInitialized,
// ErrInvalidState.
func (e *LeaderElection) IsLeader(tr kv.ReadTransaction, me Identity, now time.Time) (bool, error) {
	leader, leads, err := e.GetLeader(tr, now)
	return leads && leader.HeldBy(me), err
}

// State is all that an election says of its seat, as of one version.
type State struct {
	Config fdbelection.Config
	Leader Leader
	// Tenure is the term record. In a vacancy it names the last holder.
	Tenure Tenure
	Intent Intent
}

// ReadState returns the state, by one wave of snapshot reads. Errors:
// ErrNotInitialized, ErrInvalidState.
func (e *LeaderElection) ReadState(tr kv.ReadTransaction) (State, error) {
	load := e.beginRead(tr)
	term := tr.Snapshot().Get(e.keys.term)
	v, err := load.await()
	if err != nil {
		return State{}, err
	}
	state := State{Config: v.config, Leader: v.leader, Intent: v.intent}
	value, err := term.Get()
	if err != nil || value == nil {
		return state, err
	}
	state.Tenure, err = decodeTenure(e.keys.term, value)
	return state, err
}

// Watch asks for the next change of the tenure: a claim, a take-over, a
// resignation, a transfer. Renewals, and the acceptance of a seat that was handed
// over, do not fire it. Read the leader in the same
// transaction, so that nothing is missed in between; keep a timer beside it.
// Registering it makes the transaction conflict with changes of the tenure.
func (e *LeaderElection) Watch(tr kv.Transaction) kv.Watch { return tr.Watch(e.keys.term) }

// WatchIntent asks for the next change of what is asked of the leader, as
// Watch does for the tenure. It is for the leader. Registering it makes the
// transaction conflict with changes of the intent.
func (e *LeaderElection) WatchIntent(tr kv.Transaction) kv.Watch { return tr.Watch(e.keys.intent) }
