package election

import (
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/kv"
)

// This file holds every write of the leader record and of what changes with
// it. A writer has the leader record among its read conflicts before it comes
// here, and has read the intent where it clears one.

// renewal returns the leader record after a renewal by its holder, whose
// candidate record is own (nil where that is gone). The first renewal of a seat
// that was handed over accepts it, and the tenure counts from there.
func (v *view) renewal(priority int32, now time.Time) LeaderRecord {
	next := v.leader
	next.Ballot++
	next.Priority = priority
	next.LeaseDuration = v.config.LeaseDuration
	next.LeaseExpiry = begins(now).Add(next.LeaseDuration)
	if v.own != nil {
		next.Versionstamp = v.own.Versionstamp
	}
	if !next.Accepted || v.lost {
		next.Accepted, next.AcquiredAt = true, begins(now)
	}
	return next
}

// claim returns the leader record of a new tenure of the candidate own.
func (v *view) claim(own *Candidate, origin AcquireReason, nonce uuid.UUID, now time.Time) LeaderRecord {
	return LeaderRecord{
		Ballot: v.leader.Ballot + 1, Term: v.leader.Term + 1,
		Identity: own.Identity, Priority: own.Priority, Versionstamp: own.Versionstamp,
		LeaseDuration: v.config.LeaseDuration, LeaseExpiry: begins(now).Add(v.config.LeaseDuration),
		AcquiredAt: begins(now), Accepted: true, Nonce: nonce, AcquireReason: origin,
	}
}

// handover returns the leader record of a new tenure that waits for its
// holder: with a short lease, so that a dead successor does not keep the seat.
func (v *view) handover(to *Candidate, origin AcquireReason, nonce uuid.UUID, now time.Time) LeaderRecord {
	next := v.claim(to, origin, nonce, now)
	next.Accepted = false
	next.LeaseDuration = v.config.AcceptanceLease()
	next.LeaseExpiry = begins(now).Add(next.LeaseDuration)
	return next
}

// writeRenewal writes the leader record within a tenure. If it restores a record
// that was lost, the term record gets the ballot that it goes on from.
func (e *LeaderElection) writeRenewal(tr kv.Transaction, v *view, next *LeaderRecord) error {
	if err := conflictOn(tr, e.keys.leader, e.keys.config); err != nil {
		return err
	}
	tr.Set(e.keys.leader, next.encode())
	if v.lost {
		tenure := TermRecord{Token: next.Token(), Held: true, Ballot: next.Ballot}
		tr.Set(e.keys.term, tenure.encode())
	}
	return nil
}

// writeTenure begins a tenure: the leader record, the term record and the
// history, and the end of whatever was asked of the tenure before.
func (e *LeaderElection) writeTenure(tr kv.Transaction, v *view, next *LeaderRecord) error {
	if err := conflictOn(tr, e.keys.leader, e.keys.config, e.keys.intent); err != nil {
		return err
	}
	tr.Set(e.keys.leader, next.encode())
	began := TermRecord{Token: next.Token(), Held: true, Ballot: next.Ballot}
	tr.Set(e.keys.term, began.encode())
	e.clearRequest(tr, v)
	e.record(tr, v.config, Event{
		Term: next.Term, Kind: EventBegan, From: v.leader.Identity, To: next.Identity,
		Reason: next.AcquireReason.String(), Ballot: next.Ballot, At: next.AcquiredAt, Nonce: next.Nonce,
	})
	return nil
}

// vacate ends the tenure that v saw and leaves the seat empty. It returns the
// leader record that stands then.
func (e *LeaderElection) vacate(tr kv.Transaction, v *view, reason string, now time.Time) (LeaderRecord, error) {
	if err := conflictOn(tr, e.keys.leader, e.keys.intent); err != nil {
		return LeaderRecord{}, err
	}
	next := v.leader.vacated(now)
	e.writeVacancy(tr, v, &next, TermRecord{Token: v.leader.Token(), Ballot: next.Ballot}, reason)
	return next, nil
}

// writeVacancy leaves the seat empty: the leader record, the term record and the
// history, and the end of whatever was asked of the tenure before. What that
// depends on is the caller's to add.
func (e *LeaderElection) writeVacancy(tr kv.Transaction, v *view, next *LeaderRecord, ended TermRecord, reason string) {
	tr.Set(e.keys.leader, next.encode())
	tr.Set(e.keys.term, ended.encode())
	e.clearRequest(tr, v)
	e.record(tr, v.config, Event{
		Term: next.Term, Kind: EventEnded, From: v.leader.Identity,
		Reason: reason, Ballot: next.Ballot, At: next.AcquiredAt, Nonce: next.Nonce,
	})
}

// clearRequest removes what was asked of the tenure before, and also an intent that
// cannot be read: it can only have been about that tenure.
func (e *LeaderElection) clearRequest(tr kv.Transaction, v *view) {
	if v.intent.Kind != NoRequest || v.unreadable.intent != nil {
		tr.Clear(e.keys.intent)
	}
}
