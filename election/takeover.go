package election

import (
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

// ExistingCandidate is another incarnation that a newcomer finds registered under its own id,
// and the leader record as of the same version.
type ExistingCandidate struct {
	Candidate Candidate
	Leader    LeaderRecord
}

// ChangedIn reports whether a later reading under the same id shows that the process of
// the earlier one has been alive in between: its candidate record has changed, or it
// has written the leader record. A record of yet another incarnation counts as well. A
// seat that others have handed to the incumbent does not, until it is accepted.
func (i *ExistingCandidate) ChangedIn(later *ExistingCandidate) bool {
	was, is := &i.Candidate, &later.Candidate
	if was.Identity != is.Identity || was.Versionstamp != is.Versionstamp || was.Heartbeats != is.Heartbeats {
		return true
	}
	return later.Leader.HeldBy(is.Identity) && later.Leader.Accepted && later.Leader.Ballot != i.Leader.Ballot
}

// stands reports whether a later reading found all of what the judgement on the
// incumbent rests on.
func (i *ExistingCandidate) stands(later *ExistingCandidate) bool {
	held := i.Leader.HeldBy(i.Candidate.Identity)
	return !i.ChangedIn(later) && (!held || i.Leader.Ballot == later.Leader.Ballot)
}

// TakeOverCandidate enters a candidate like RegisterCandidate, but it leaves the
// record of a live process alone. If another incarnation is registered under the id,
// it replaces that record only if seen is not nil, the incumbent has not moved since,
// and the seat, if that incarnation held it then, stands at the same ballot. Otherwise
// it writes nothing and returns the incumbent. A nil incumbent says that the candidate
// is registered.
//
// The caller answers for having watched on its own clock: the candidate record for the
// candidate timeout of the config or, if that incarnation holds the seat, the ballot
// for its lease.
//
// It can be run again after an unknown commit: it then finds its own record. A
// heartbeat of the incumbent makes it conflict, and so does a change of its tenure.
// Errors are those of RegisterCandidate.
func (e *LeaderElection) TakeOverCandidate(tr kv.Transaction, me Registration, seen *ExistingCandidate, now time.Time) (*ExistingCandidate, error) {
	v, err := e.loadCandidacy(tr, &me)
	if err != nil {
		return nil, err
	}
	if v.own != nil && v.own.Incarnation != me.Incarnation {
		found := &ExistingCandidate{Candidate: *v.own, Leader: v.leader}
		if seen == nil || !seen.stands(found) {
			return found, nil
		}
		if found.Leader.HeldBy(found.Candidate.Identity) {
			if err := conflictOn(tr, e.keys.term); err != nil {
				return nil, err
			}
		}
	}
	return nil, e.register(tr, me, now, true)
}

// RecordDuplicate writes to the history of the current term that a newcomer has found
// another process alive under its id, and has refused to take its place. The history
// keeps one such event for each term, the last one, and none if the config keeps no
// history. It depends on the term record, and not on the leader record. Run again it
// writes the same event.
//
// Errors: ErrNotInitialized, ErrInvalidState.
func (e *LeaderElection) RecordDuplicate(tr kv.Transaction, incumbent, newcomer Identity, now time.Time) error {
	load := e.begin(tr)
	v, err := load.await()
	if err == nil {
		err = v.decidable()
	}
	if err != nil || v.config.HistoryLimit == 0 {
		return err
	}
	event := Event{
		Term: v.leader.Term, Kind: EventDuplicate, From: incumbent, To: newcomer,
		Reason: "refused: another process runs under this id", Ballot: v.leader.Ballot, At: now, Nonce: v.leader.Nonce,
	}
	key := e.keys.event(event.Term, event.Kind)
	if err := conflictOn(tr, e.keys.term, key); err != nil {
		return err
	}
	tr.Set(key, event.encode())
	return nil
}
