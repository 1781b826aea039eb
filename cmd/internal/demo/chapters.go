package demo

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// chapters are the parts of the demo. Each causes a change, waits until the database
// shows it, and checks the records.
var chapters = []chapterOf[*demo]{
	{"An election", (*demo).runElection},
	{"Renewals", (*demo).runRenewals},
	{"A higher priority", (*demo).runPreemption},
	{"A crash", (*demo).runCrash},
	{"A stale leader", (*demo).runStaleWrites},
	{"A clean hand-over", (*demo).runHandOver},
	{"The ledger", (*demo).checkLedger},
}

var (
	firstIDs = []string{"ash", "birch", "cedar", "elm"}
	lastID   = "oak" // registers later, with a higher priority
)

const (
	firstPriority = 5
	lastPriority  = 9
)

func (d *demo) runElection() error {
	for _, id := range firstIDs {
		if err := d.campaign(id, firstPriority); err != nil {
			return err
		}
	}
	d.event("%s register, each with priority %d.", list(firstIDs), firstPriority)
	leader, err := d.until("a leader", func(l election.LeaderRecord) bool { return !l.Vacant() })
	if err != nil {
		return err
	}
	d.seen.first = leader
	d.event("%s claims leadership.", leader.ID)

	deadline := d.clock.Now().Add(demoTimeout)
	registered, err := read(d, d.election.ListCandidates)
	for err == nil && len(registered) < len(firstIDs) && d.clock.Now().Before(deadline) {
		if err = clock.Sleep(d.ctx, d.clock, demoPoll); err == nil {
			registered, err = read(d, d.election.ListCandidates)
		}
	}
	if err != nil {
		return err
	}
	if leader.Term != 1 || leader.Ballot != 1 || len(registered) != len(firstIDs) {
		return d.expected("term 1, ballot 1 and four candidates", fmt.Sprintf("%v, %d candidates", leader, len(registered)))
	}
	d.checked("%d candidates, one leader: %s in term %d, ballot %d", len(registered), leader.ID, leader.Term, leader.Ballot)
	return nil
}

func (d *demo) runRenewals() error {
	first := d.seen.first
	for ballot := first.Ballot + 1; ballot <= first.Ballot+3; ballot++ {
		leader, err := d.until(fmt.Sprintf("ballot %d", ballot), func(l election.LeaderRecord) bool { return l.Ballot >= ballot })
		switch {
		case err != nil:
			return err
		case leader.Token() != first.Token():
			return d.expected(fmt.Sprintf("%s still in term %d", first.ID, first.Term), leader)
		}
		d.event("%s renews its lease: ballot %d.", leader.ID, leader.Ballot)
	}
	payments, err := read(d, d.ledger.payments)
	switch {
	case err != nil:
		return err
	case countOf(first.Term, payments) == 0:
		return d.expected("payments in term 1", len(payments))
	}
	d.checked("each renewal raises the ballot, and the term stays %d; payments in this term: %d",
		first.Term, countOf(first.Term, payments))
	return nil
}

func (d *demo) runPreemption() error {
	if err := d.campaign(lastID, lastPriority); err != nil {
		return err
	}
	d.event("%s registers with priority %d, and writes a preemption request.", lastID, lastPriority)
	before, err := d.challenged()
	if err != nil {
		return err
	}
	d.event("%s has read the request. It drains, and renews its lease meanwhile.", before.ID)
	leader, err := d.until(lastID+" as the leader", func(l election.LeaderRecord) bool { return l.ID == lastID && l.Accepted })
	if err != nil {
		return err
	}
	d.seen.preempting = leader
	d.event("%s hands over. %s accepts.", before.ID, leader.ID)

	began, err := d.eventOf(leader.Term, election.EventBegan)
	renewals := int64(began.Ballot) - 1 - int64(before.Ballot)
	switch {
	case err != nil:
		return err
	case leader.Term != before.Term+1 || began.From.ID != before.ID || began.Reason != election.AcquirePreemption.String():
		return d.expected("a preemption in the next term", fmt.Sprintf("%v, %+v", leader, began))
	case renewals < 1:
		return d.expected("a renewal between the request and the hand-over", fmt.Sprintf("ballots %d and %d", before.Ballot, began.Ballot))
	}
	d.checked("the history has a %s from %s to %s in term %d; renewals during the drain: %d",
		began.Reason, began.From.ID, began.To.ID, began.Term, renewals)
	return nil
}

// challenged waits for the preemption request of lastID, and returns the leader
// record that it challenges.
func (d *demo) challenged() (election.LeaderRecord, error) {
	type both struct {
		election.LeaderRecord
		election.Request
	}
	deadline := d.clock.Now().Add(demoTimeout)
	for {
		now, err := read(d, func(tr kv.ReadTransaction) (b both, err error) {
			if b.LeaderRecord, err = d.election.GetLeaderRaw(tr); err != nil {
				return b, err
			}
			b.Request, err = d.election.ReadRequest(tr)
			return b, err
		})
		switch {
		case errors.Is(err, fdbelection.ErrNotInitialized): // the first candidate has yet to initialize it
		case err != nil:
			return now.LeaderRecord, err
		case now.Kind == election.PreemptionRequest && now.Request.Term == now.LeaderRecord.Term && now.Request.ID == lastID:
			return now.LeaderRecord, nil
		case d.clock.Now().After(deadline):
			return now.LeaderRecord, d.expected("a preemption request by "+lastID, now.LeaderRecord)
		}
		if err := clock.Sleep(d.ctx, d.clock, demoPoll); err != nil {
			return now.LeaderRecord, err
		}
	}
}

func (d *demo) runCrash() error {
	crashed := d.seen.preempting
	if err := d.beginLate(crashed.Token()); err != nil {
		return err
	}
	d.event("%s begins one more write.", crashed.ID)
	d.candidates[crashed.ID].crash()
	<-d.candidates[crashed.ID].done
	d.markCrash(crashed.ID)
	last, err := read(d, d.election.GetLeaderRaw)
	switch {
	case err != nil:
		return err
	case last.Token() != crashed.Token():
		return d.expected(crashed.ID+" as the leader", last)
	}
	d.event("%s crashes before the commit. The leader record still names it, at ballot %d.", crashed.ID, last.Ballot)
	successor, err := d.until("another leader", func(l election.LeaderRecord) bool { return l.Token() != last.Token() })
	if err != nil {
		return err
	}
	d.seen.successor = successor
	d.event("The others have seen the same ballot for a whole lease. %s takes over.", successor.ID)

	renewed := last.LeaseExpiry.Add(-last.LeaseDuration)
	waited := successor.AcquiredAt.Sub(renewed)
	switch {
	case successor.Term != last.Term+1 || successor.Ballot != last.Ballot+1 || successor.AcquireReason != election.AcquireExpiry:
		return d.expected("a take-over in the next term, at the next ballot", successor)
	case waited < last.LeaseDuration || waited > last.LeaseDuration+demoLease/3:
		return d.expected("a take-over after the lease, and at most one heartbeat later", waited)
	}
	d.checked("term %d, ballot %d, %.2f s after the last renewal; the lease is %s",
		successor.Term, successor.Ballot, waited.Seconds(), last.LeaseDuration)
	return nil
}

// beginLate begins a write under a token. The fence accepts the token, and the
// transaction stays uncommitted.
func (d *demo) beginLate(token election.Token) error {
	tr, err := d.db.CreateTransaction(d.ctx)
	if err != nil {
		return err
	}
	d.seen.late = tr
	if err := d.election.RequireLeadership(tr, token); err != nil {
		return err
	}
	tr.Set(d.lateKey(), []byte(token.ID))
	return nil
}

func (d *demo) lateKey() []byte { return d.ledger.space.Sub("late").Bytes() }

func (d *demo) runStaleWrites() error {
	stale, successor := d.seen.preempting.Token(), d.seen.successor
	d.event("%s commits that write late. Its transaction has read term %d.", stale.ID, stale.Term)
	if err := d.seen.late.Commit(); kv.CodeOf(err) != kv.CodeNotCommitted {
		return d.expected("the late commit refused with code 1020", err)
	}
	d.event("Refused with a conflict. The term has changed since.")
	d.event("%s tries again in a new transaction, with its old token.", stale.ID)
	err := d.db.Transact(d.ctx, func(tr kv.Transaction) error {
		if err := d.election.RequireLeadership(tr, stale); err != nil {
			return err
		}
		tr.Set(d.lateKey(), []byte(stale.ID))
		return nil
	})
	if !errors.Is(err, fdbelection.ErrFenced) {
		return d.expected("ErrFenced", err)
	}
	d.event("Refused with ErrFenced. The token is of term %d, and term %d has begun.", stale.Term, successor.Term)

	count := func(tr kv.ReadTransaction) (int, error) {
		payments, err := d.ledger.payments(tr)
		return countOf(successor.Term, payments), err
	}
	paid, err := read(d, count)
	deadline := d.clock.Now().Add(demoTimeout)
	for err == nil && paid == 0 && d.clock.Now().Before(deadline) {
		if err = clock.Sleep(d.ctx, d.clock, demoPoll); err == nil {
			paid, err = read(d, count)
		}
	}
	written, err2 := read(d, func(tr kv.ReadTransaction) ([]byte, error) { return tr.Get(d.lateKey()).Get() })
	switch {
	case errors.Join(err, err2) != nil:
		return errors.Join(err, err2)
	case written != nil || paid == 0:
		return d.expected("no write of the stale leader, and payments of the new one", fmt.Sprintf("%q, %d payments", written, paid))
	}
	d.checked("neither write is in the database; payments of %s in term %d: %d", successor.ID, successor.Term, paid)
	return nil
}

func (d *demo) runHandOver() error {
	successor := d.seen.successor
	d.event("%s is asked to leave. It drains first.", successor.ID)
	d.candidates[successor.ID].stop()
	next, err := d.until("a successor", func(l election.LeaderRecord) bool { return l.Term > successor.Term && !l.Vacant() })
	if err != nil {
		return err
	}
	<-d.candidates[successor.ID].done
	d.event("%s resigns and leaves. %s claims leadership.", successor.ID, next.ID)
	ended, err := d.eventOf(successor.Term, election.EventEnded)
	vacant := next.AcquiredAt.Sub(ended.At)
	switch {
	case err != nil:
		return err
	case d.candidates[successor.ID].err != nil:
		return d.candidates[successor.ID].err
	case next.Term != successor.Term+1 || next.AcquireReason != election.AcquireVacancy:
		return d.expected("the next term, from a vacancy", next)
	case vacant < 0 || vacant >= demoLease/3:
		return d.expected("a successor in less than a heartbeat", vacant)
	}
	d.checked("term %d began %s after leadership became vacant; no lease had to expire", next.Term, vacant.Round(10*time.Microsecond))
	return nil
}

// checkLedger checks the payments of all leaders against the history.
func (d *demo) checkLedger() error {
	payments, err := read(d, d.ledger.payments)
	if err != nil {
		return err
	}
	history, err := read(d, func(tr kv.ReadTransaction) ([]election.Event, error) { return d.election.History(tr, 0) })
	if err != nil {
		return err
	}
	holders := make(map[uint64]string)
	for _, e := range history {
		if e.Kind == election.EventBegan {
			holders[e.Term] = e.To.ID
		}
	}
	for i, p := range payments {
		if p.number != int64(i+1) || p.by != holders[p.term] || i > 0 && p.term < payments[i-1].term {
			return d.expected("payments without a gap, each by the leader of its term, in the order of the terms", p)
		}
	}
	for _, term := range slices.Sorted(maps.Keys(holders)) {
		d.event("term %d  %-6s %3d payments", term, holders[term], countOf(term, payments))
	}
	d.checked("%d payments without a gap, each by the leader of its term, in the order of the terms", len(payments))
	return nil
}

// eventOf returns the event of the history at which a term began or ended.
func (d *demo) eventOf(term uint64, kind election.EventKind) (election.Event, error) {
	history, err := read(d, func(tr kv.ReadTransaction) ([]election.Event, error) { return d.election.History(tr, 0) })
	for _, e := range history {
		if e.Term == term && e.Kind == kind {
			return e, nil
		}
	}
	if err == nil {
		err = d.expected(fmt.Sprintf("an event: term %d %s", term, kind), "no such event in the history")
	}
	return election.Event{}, err
}
