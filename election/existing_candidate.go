package election

import (
	"time"

	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/kv"
)

// ExistingCandidate is another incarnation that a starting process finds registered under
// its own id, with the leader record of the same read version.
type ExistingCandidate struct {
	Candidate Candidate
	Leader    LeaderRecord
}

// ChangedIn reports whether a process under this id has written between this read and a
// later one: its candidate record, or the leader record. If others hand leadership to the
// candidate or delete the leader record, that does not count.
//
// One write does not show that the process is alive, because a commit that was in flight
// when it died may arrive later. A second one does.
func (x *ExistingCandidate) ChangedIn(later *ExistingCandidate) bool {
	was, is := &x.Candidate, &later.Candidate
	if was.Identity != is.Identity || was.Versionstamp != is.Versionstamp || was.Heartbeats != is.Heartbeats {
		return true
	}
	l := &later.Leader
	return l.HeldBy(is.Identity) && l.Accepted && !l.Lost() && l.Ballot != x.Leader.Ballot
}

// unchangedIn reports whether a later read finds everything as it was watched: the
// candidate record and, if the candidate holds leadership, the ballot.
func (x *ExistingCandidate) unchangedIn(later *ExistingCandidate) bool {
	held := x.Leader.HeldBy(x.Candidate.Identity)
	return !x.ChangedIn(later) && (!held || x.Leader.Ballot == later.Leader.Ballot)
}

// TakeOverCandidate enters a candidate as RegisterCandidate does, but does not replace a
// live process. If another incarnation is registered under the id, it replaces that record
// only if the record is still as in seen. If that incarnation held leadership, the ballot
// must be the same, too. Otherwise, and if seen is nil, it writes nothing and returns the
// existing candidate. A nil result says that the new candidate is registered.
//
// The caller must have watched what is in seen on its own clock: the candidate record for
// the candidate timeout of the config or, if that incarnation held leadership, the ballot
// for its lease.
//
// It is safe to run again after an unknown result, since it then finds its own record. It
// conflicts with a heartbeat of the existing candidate and with a change of its tenure.
// Errors are those of RegisterCandidate.
func (e *LeaderElection) TakeOverCandidate(tr kv.Transaction, me Registration, seen *ExistingCandidate, now time.Time) (*ExistingCandidate, error) {
	v, err := e.readForHeartbeat(tr, &me)
	if err != nil {
		return nil, err
	}
	if v.own != nil && v.own.Incarnation != me.Incarnation {
		found := &ExistingCandidate{Candidate: *v.own, Leader: v.leader}
		if seen == nil || !seen.unchangedIn(found) {
			return found, nil
		}
		if found.Leader.HeldBy(found.Candidate.Identity) {
			if err := record.ConflictOn(tr, e.keys.term); err != nil {
				return nil, err
			}
		}
	}
	return nil, e.register(tr, me, now, true)
}

// RecordDuplicate writes an EventDuplicate to the history of the current term: newcomer
// has found that existing is alive under its id, and did not start. The history keeps the
// last such event of each term, and none if its limit is zero. The write depends on the
// term record, and not on the leader record. It is safe to run again.
//
// Errors: ErrNotInitialized, ErrInvalidState.
func (e *LeaderElection) RecordDuplicate(tr kv.Transaction, existing, newcomer Identity, now time.Time) error {
	reads := e.beginReads(tr)
	v, err := reads.await()
	if err == nil {
		err = v.decidable()
	}
	if err != nil || v.config.HistoryLimit == 0 {
		return err
	}
	event := Event{
		Term: v.leader.Term, Kind: EventDuplicate, From: existing, To: newcomer,
		Reason: "refused: another process runs under this id", Ballot: v.leader.Ballot, At: now, Nonce: v.leader.Nonce,
	}
	key := e.keys.event(event.Term, event.Kind)
	if err := record.ConflictOn(tr, e.keys.term, key); err != nil {
		return err
	}
	tr.Set(key, event.encode())
	return nil
}
