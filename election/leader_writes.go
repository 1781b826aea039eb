package election

import (
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/kv"
)

// This file holds every write of the leader record and of what changes with it. Each
// function adds the read conflicts that the write needs, except writeVacancy.

// renewal returns the leader record after a renewal by its holder. The first renewal of a
// leadership that was handed over accepts it, and the tenure counts from there.
func (v *view) renewal(priority int32, now time.Time) LeaderRecord {
	next := v.leader
	next.Ballot++
	next.Priority = priority
	next.LeaseDuration = v.config.LeaseDuration
	next.LeaseExpiry = record.Begins(now).Add(next.LeaseDuration)
	if v.own != nil {
		next.Versionstamp = v.own.Versionstamp
	}
	if !next.Accepted || v.lost {
		next.Accepted, next.AcquiredAt = true, record.Begins(now)
	}
	return next
}

// claim returns the leader record of a new tenure of the candidate own.
func (v *view) claim(own *Candidate, reason AcquireReason, nonce uuid.UUID, now time.Time) LeaderRecord {
	return LeaderRecord{
		Ballot: v.leader.Ballot + 1, Term: v.leader.Term + 1,
		Identity: own.Identity, Priority: own.Priority, Versionstamp: own.Versionstamp,
		LeaseDuration: v.config.LeaseDuration, LeaseExpiry: record.Begins(now).Add(v.config.LeaseDuration),
		AcquiredAt: record.Begins(now), Accepted: true, Nonce: nonce, AcquireReason: reason,
	}
}

// handOver returns the leader record of a new tenure that its holder has not accepted yet.
// Its lease is short, so a dead successor does not keep leadership for long.
func (v *view) handOver(to *Candidate, reason AcquireReason, nonce uuid.UUID, now time.Time) LeaderRecord {
	next := v.claim(to, reason, nonce, now)
	next.Accepted = false
	next.LeaseDuration = v.config.AcceptanceLease()
	next.LeaseExpiry = record.Begins(now).Add(next.LeaseDuration)
	return next
}

// writeRenewal writes the leader record within a tenure. If that restores a lost leader
// record, it also writes the new ballot to the term record. If it accepts a hand-over, it
// also writes the leader notice.
func (e *LeaderElection) writeRenewal(tr kv.Transaction, v *view, next *LeaderRecord) error {
	if err := record.ConflictOn(tr, e.keys.leader, e.keys.config); err != nil {
		return err
	}
	tr.Set(e.keys.leader, next.encode())
	if v.lost {
		e.writeTerm(tr, TermRecord{Token: next.Token(), Held: true, Ballot: next.Ballot}, next.Nonce)
	} else if !v.leader.Accepted {
		e.noteAcceptance(tr, next)
	}
	return nil
}

// writeTenure begins a tenure. It writes the leader record, the term record and the
// history, and clears the request about the tenure before.
func (e *LeaderElection) writeTenure(tr kv.Transaction, v *view, next *LeaderRecord) error {
	if err := record.ConflictOn(tr, e.keys.leader, e.keys.config, e.keys.request); err != nil {
		return err
	}
	tr.Set(e.keys.leader, next.encode())
	e.writeTerm(tr, TermRecord{Token: next.Token(), Held: true, Ballot: next.Ballot}, next.Nonce)
	e.clearRequest(tr, v)
	e.record(tr, v.config, Event{
		Term: next.Term, Kind: EventBegan, From: v.leader.Identity, To: next.Identity,
		Reason: next.AcquireReason.String(), Ballot: next.Ballot, At: next.AcquiredAt, Nonce: next.Nonce,
	})
	return nil
}

// vacate ends the tenure that the view saw, and returns the leader record after that.
func (e *LeaderElection) vacate(tr kv.Transaction, v *view, reason string, now time.Time) (LeaderRecord, error) {
	if err := record.ConflictOn(tr, e.keys.leader, e.keys.request); err != nil {
		return LeaderRecord{}, err
	}
	next := v.leader.vacated(now)
	e.writeVacancy(tr, v, &next, TermRecord{Token: v.leader.Token(), Ballot: next.Ballot}, reason)
	return next, nil
}

// writeVacancy leaves leadership vacant. It writes the leader record, the term record and
// the history, and clears the request about the tenure before. The caller has added the
// read conflicts.
func (e *LeaderElection) writeVacancy(tr kv.Transaction, v *view, next *LeaderRecord, ended TermRecord, reason string) {
	tr.Set(e.keys.leader, next.encode())
	e.writeTerm(tr, ended, ended.Nonce)
	e.clearRequest(tr, v)
	e.record(tr, v.config, Event{
		Term: next.Term, Kind: EventEnded, From: v.leader.Identity,
		Reason: reason, Ballot: next.Ballot, At: next.AcquiredAt, Nonce: next.Nonce,
	})
}

// clearRequest removes the request about the tenure before. It also removes a request that
// cannot be read, since that can only be about the same tenure.
func (e *LeaderElection) clearRequest(tr kv.Transaction, v *view) {
	if v.request.Kind != NoRequest || v.unreadable.request != nil {
		tr.Clear(e.keys.request)
	}
}
