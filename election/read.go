package election

import (
	"errors"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
)

// GetLeaderRaw returns the leader record by a snapshot read, even if its lease has expired.
// It is for monitoring, and for an Observation. If no candidate has ever led, it returns the
// zero LeaderRecord. Errors: ErrNotInitialized, ErrInvalidState (also if the record is
// missing although there is a term record).
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

// GetLeader returns the leader record if its lease has not expired at now, by the wall
// clock. It returns false if leadership is vacant, expired, or handed over and not accepted.
//
// It compares now with an instant that the clock of the leader has written. If the two
// clocks differ, it may return a leader whose lease has expired, or none although there is
// one. Use it for display and for routing only. A process that must know whether it leads
// itself uses ValidUntil of its own cycle, or RequireLeadership. Errors: ErrNotInitialized,
// ErrInvalidState.
func (e *LeaderElection) GetLeader(tr kv.ReadTransaction, now time.Time) (LeaderRecord, bool, error) {
	leader, err := e.GetLeaderRaw(tr)
	if err != nil || leader.Vacant() || !leader.Accepted || leader.ExpiredAt(now) {
		return LeaderRecord{}, false, err
	}
	return leader, true, nil
}

// IsLeader reports whether GetLeader returns this incarnation. The answer can be out of date
// at once, so work that must not outlive the tenure needs RequireLeadership in its own
// transaction. Errors: ErrNotInitialized, ErrInvalidState.
func (e *LeaderElection) IsLeader(tr kv.ReadTransaction, me Identity, now time.Time) (bool, error) {
	leader, leads, err := e.GetLeader(tr, now)
	return leads && leader.HeldBy(me), err
}

// Status is the config, the leader record, the term record and the request of an election,
// as of one read version.
type Status struct {
	Config fdbelection.Config
	// Leader is the leader record. If it is lost, it is derived from the term record, and
	// Unreadable says so.
	Leader LeaderRecord
	// Term is the term record. In a vacancy it names the last holder.
	Term    TermRecord
	Request Request
	// Unreadable names the request or term record if it could not be read, and a lost leader
	// record (ErrInvalidState). It is nil if there are none.
	Unreadable error
}

// ReadStatus returns the status by one wave of snapshot reads. Errors:
// ErrNotInitialized, ErrInvalidState (of the config or the leader record).
func (e *LeaderElection) ReadStatus(tr kv.ReadTransaction) (Status, error) {
	read := e.beginStatus(tr)
	return read.await()
}

// statusRead is a read of the status that has begun.
type statusRead struct {
	reads
	term kv.Future[[]byte]
}

func (e *LeaderElection) beginStatus(tr kv.ReadTransaction) statusRead {
	r := statusRead{e.beginReads(tr), tr.Snapshot().Get(e.keys.term)}
	r.tr = nil // a lost leader record is restored by await, from the term record
	return r
}

// await returns the status, and the errors of ReadStatus.
func (r *statusRead) await() (Status, error) {
	e := r.election
	v, err := r.reads.await()
	if err != nil {
		return Status{}, err
	}
	value, err := r.term.Get()
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
	status := Status{Config: v.config, Leader: v.leader, Request: v.request}
	if value != nil {
		status.Term, err = decodeTerm(e.keys.term, value)
	}
	status.Unreadable = errors.Join(lost, v.unreadable.request, err)
	return status, nil
}

// Watch returns a watch that fires at the next change of the leadership: a claim, a
// resignation, a hand-over or its acceptance, or a change of the priority or metadata of the
// holder. It does not fire at a renewal that changes none of these. Read the leader
// record in the same transaction, and the candidate record of the holder if its metadata
// matter, so no change is missed between the two. Use a timer as well, since a watch may
// fail. The watch makes the transaction conflict with these changes.
func (e *LeaderElection) Watch(tr kv.Transaction) kv.Watch { return tr.Watch(e.keys.leaderNotice) }

// WatchCandidates returns a watch that fires at the next change of the candidates, as Watch
// does for the leadership: a candidate has registered, is gone, or has changed its priority,
// role or metadata. It does not fire at any other heartbeat.
func (e *LeaderElection) WatchCandidates(tr kv.Transaction) kv.Watch {
	return tr.Watch(e.keys.candidatesNotice)
}

// WatchRequest returns a watch that fires at the next change of the request, as Watch does
// for the leadership. It is for the leader. The watch makes the transaction conflict with
// changes of the request.
func (e *LeaderElection) WatchRequest(tr kv.Transaction) kv.Watch { return tr.Watch(e.keys.request) }
