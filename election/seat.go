package election

import (
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
)

// This file holds every write of the leader record and of what changes with
// it. A writer has the leader record among its read conflicts before it comes
// here, and has read the intent where it clears one.

// renewal returns the leader record after a renewal by its holder, whose
// candidate record is own (nil where that is gone). The first renewal of a seat
// that was handed over accepts it, and the tenure counts from there.
func (v *view) renewal(priority int32, now time.Time) Leader {
	next := v.leader
	next.Ballot++
	next.Priority = priority
	next.LeaseDuration = v.config.LeaseDuration
	next.LeaseExpiry = begins(now).Add(next.LeaseDuration)
	if v.own != nil {
		next.Versionstamp = v.own.Versionstamp
	}
	if !next.Accepted {
		next.Accepted, next.AcquiredAt = true, begins(now)
	}
	return next
}

// claim returns the leader record of a new tenure of the candidate own.
func (v *view) claim(own *Candidate, origin Origin, nonce uuid.UUID, now time.Time) Leader {
	return Leader{
		Ballot: v.leader.Ballot + 1, Term: v.leader.Term + 1,
		Identity: own.Identity, Priority: own.Priority, Versionstamp: own.Versionstamp,
		LeaseDuration: v.config.LeaseDuration, LeaseExpiry: begins(now).Add(v.config.LeaseDuration),
		AcquiredAt: begins(now), Accepted: true, Nonce: nonce, Origin: origin,
	}
}

// handover returns the leader record of a new tenure that waits for its
// holder: with a short lease, so that a dead successor does not keep the seat.
func (v *view) handover(to *Candidate, origin Origin, nonce uuid.UUID, now time.Time) Leader {
	next := v.claim(to, origin, nonce, now)
	next.Accepted = false
	next.LeaseDuration = v.config.AcceptanceLease()
	next.LeaseExpiry = begins(now).Add(next.LeaseDuration)
	return next
}

// writeRenewal writes the leader record within a tenure.
func (e *LeaderElection) writeRenewal(tr kv.Transaction, next *Leader) error {
	if err := conflictOn(tr, e.keys.leader, e.keys.config); err != nil {
		return err
	}
	tr.Set(e.keys.leader, next.encode())
	return nil
}

// writeTenure begins a tenure: the leader record, the term record and the
// history, and the end of whatever was asked of the tenure before.
func (e *LeaderElection) writeTenure(tr kv.Transaction, v *view, next *Leader) error {
	if err := conflictOn(tr, e.keys.leader, e.keys.config, e.keys.intent); err != nil {
		return err
	}
	tr.Set(e.keys.leader, next.encode())
	began := Tenure{Token: next.Token(), Held: true}
	tr.Set(e.keys.term, began.encode())
	e.clearIntent(tr, v)
	e.record(tr, v.config, Event{
		Term: next.Term, Kind: EventBegan, From: v.leader.Identity, To: next.Identity,
		Reason: next.Origin.String(), Ballot: next.Ballot, At: next.AcquiredAt, Nonce: next.Nonce,
	})
	return nil
}

// vacate ends the tenure that v saw and leaves the seat empty. It returns the
// leader record that stands then.
func (e *LeaderElection) vacate(tr kv.Transaction, v *view, reason string, now time.Time) (Leader, error) {
	if err := conflictOn(tr, e.keys.leader, e.keys.intent); err != nil {
		return Leader{}, err
	}
	next := v.leader.vacated(now)
	e.writeVacancy(tr, v, &next, Tenure{Token: v.leader.Token()}, reason)
	return next, nil
}

// writeVacancy leaves the seat empty: the leader record, the term record and the
// history, and the end of whatever was asked of the tenure before. What that
// depends on is the caller's to add.
func (e *LeaderElection) writeVacancy(tr kv.Transaction, v *view, next *Leader, ended Tenure, reason string) {
	tr.Set(e.keys.leader, next.encode())
	tr.Set(e.keys.term, ended.encode())
	e.clearIntent(tr, v)
	e.record(tr, v.config, Event{
		Term: next.Term, Kind: EventEnded, From: v.leader.Identity,
		Reason: reason, Ballot: next.Ballot, At: next.AcquiredAt, Nonce: next.Nonce,
	})
}

func (e *LeaderElection) clearIntent(tr kv.Transaction, v *view) {
	if v.intent.Kind != NoIntent {
		tr.Clear(e.keys.intent)
	}
}

// continued returns an error where the leader record is gone although a tenure
// is on record: to begin again at 1 would let terms and ballots regress. Only
// the first claim of all pays for this second read.
func (e *LeaderElection) continued(tr kv.Transaction, leader Leader) error {
	if leader.Ballot > 0 {
		return nil
	}
	value, err := tr.Get(e.keys.term).Get()
	if err != nil || value == nil {
		return err
	}
	return &fdbelection.InvalidStateError{
		Key: e.keys.leader, Record: "leader",
		Problem: "is missing although a term is on record; restore it, or clear the whole subspace to begin a new election whose tokens begin anew",
	}
}
