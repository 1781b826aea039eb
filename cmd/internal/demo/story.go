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

// chapters are the story of the demo. Each does something, waits until the
// database shows what should come of it, and checks that.
var chapters = []struct {
	title string
	tell  func(*stage) error
}{
	{"An election", (*stage).tellElection},
	{"Renewals", (*stage).tellRenewals},
	{"A higher priority", (*stage).tellPreemption},
	{"A crash", (*stage).tellCrash},
	{"A leader of the past", (*stage).tellStale},
	{"A clean hand-over", (*stage).tellHandover},
	{"The books", (*stage).tellBooks},
}

var (
	demoEquals = []string{"ash", "birch", "cedar", "elm"}
	demoFifth  = "oak"
)

const (
	demoEqualPriority = 5
	demoFifthPriority = 9
)

func (s *stage) tellElection() error {
	for _, id := range demoEquals {
		if err := s.enter(id, demoEqualPriority); err != nil {
			return err
		}
	}
	s.event("%s register, each with priority %d.", list(demoEquals), demoEqualPriority)
	leader, err := s.until("a leader", func(l election.LeaderRecord) bool { return !l.Vacant() })
	if err != nil {
		return err
	}
	s.cast.first = leader
	s.event("%s takes the empty seat.", leader.ID)

	deadline := s.clock.Now().Add(demoPatience)
	registered, err := ask(s, s.election.ListCandidates)
	for err == nil && len(registered) < len(demoEquals) && s.clock.Now().Before(deadline) {
		if err = clock.Sleep(s.ctx, s.clock, demoLook); err == nil {
			registered, err = ask(s, s.election.ListCandidates)
		}
	}
	if err != nil {
		return err
	}
	if leader.Term != 1 || leader.Ballot != 1 || len(registered) != len(demoEquals) {
		return s.expected("term 1, ballot 1 and four candidates", fmt.Sprintf("%v, %d candidates", leader, len(registered)))
	}
	s.checked("%d candidates, one leader: %s in term %d, at ballot %d", len(registered), leader.ID, leader.Term, leader.Ballot)
	return nil
}

func (s *stage) tellRenewals() error {
	first := s.cast.first
	for ballot := first.Ballot + 1; ballot <= first.Ballot+3; ballot++ {
		leader, err := s.until(fmt.Sprintf("ballot %d", ballot), func(l election.LeaderRecord) bool { return l.Ballot >= ballot })
		switch {
		case err != nil:
			return err
		case leader.Token() != first.Token():
			return s.expected(fmt.Sprintf("%s still in term %d", first.ID, first.Term), leader)
		}
		s.event("%s renews its lease: ballot %d.", leader.ID, leader.Ballot)
	}
	payments, err := ask(s, s.ledger.payments)
	switch {
	case err != nil:
		return err
	case of(first.Term, payments) == 0:
		return s.expected("payments under term 1", len(payments))
	}
	s.checked("term %d stands while the ballot grows with each renewal; %d payments booked under it",
		first.Term, of(first.Term, payments))
	return nil
}

func (s *stage) tellPreemption() error {
	if err := s.enter(demoFifth, demoFifthPriority); err != nil {
		return err
	}
	s.event("%s registers with priority %d, and asks for the seat.", demoFifth, demoFifthPriority)
	before, err := s.challenged()
	if err != nil {
		return err
	}
	s.event("%s has read the challenge. It finishes its work, and renews meanwhile.", before.ID)
	leader, err := s.until(demoFifth+" in the seat", func(l election.LeaderRecord) bool { return l.ID == demoFifth && l.Accepted })
	if err != nil {
		return err
	}
	s.cast.fifth = leader
	s.event("%s hands over; %s accepts.", before.ID, leader.ID)

	began, err := s.eventOf(leader.Term, election.EventBegan)
	renewals := int64(began.Ballot) - 1 - int64(before.Ballot)
	switch {
	case err != nil:
		return err
	case leader.Term != before.Term+1 || began.From.ID != before.ID || began.Reason != election.AcquirePreemption.String():
		return s.expected("a preemption in the next term", fmt.Sprintf("%v, %+v", leader, began))
	case renewals < 1:
		return s.expected("a renewal between the challenge and the hand-over", fmt.Sprintf("ballots %d and %d", before.Ballot, began.Ballot))
	}
	s.checked("history: %s, from %s to %s, in term %d; renewals in between: %d",
		began.Reason, began.From.ID, began.To.ID, began.Term, renewals)
	return nil
}

// challenged waits until the challenge of the fifth stands, and returns the
// leader whom it is about.
func (s *stage) challenged() (election.LeaderRecord, error) {
	type both struct {
		election.LeaderRecord
		election.Request
	}
	deadline := s.clock.Now().Add(demoPatience)
	for {
		now, err := ask(s, func(tr kv.ReadTransaction) (b both, err error) {
			if b.LeaderRecord, err = s.election.GetLeaderRaw(tr); err != nil {
				return b, err
			}
			b.Request, err = s.election.ReadRequest(tr)
			return b, err
		})
		switch {
		case errors.Is(err, fdbelection.ErrNotInitialized): // nobody has come yet
		case err != nil:
			return now.LeaderRecord, err
		case now.Kind == election.PreemptionRequest && now.Request.Term == now.LeaderRecord.Term && now.Request.ID == demoFifth:
			return now.LeaderRecord, nil
		case s.clock.Now().After(deadline):
			return now.LeaderRecord, s.expected("a challenge by "+demoFifth, now.LeaderRecord)
		}
		if err := clock.Sleep(s.ctx, s.clock, demoLook); err != nil {
			return now.LeaderRecord, err
		}
	}
}

func (s *stage) tellCrash() error {
	fifth := s.cast.fifth
	if err := s.beginLate(fifth.Token()); err != nil {
		return err
	}
	s.event("%s is about to commit one more write ...", fifth.ID)
	s.actors[fifth.ID].crash()
	<-s.actors[fifth.ID].done
	s.crash(fifth.ID)
	last, err := ask(s, s.election.GetLeaderRaw)
	switch {
	case err != nil:
		return err
	case last.Token() != fifth.Token():
		return s.expected(fifth.ID+" in the seat still", last)
	}
	s.event("... and crashes. Nobody is told: the record still names it, at ballot %d.", last.Ballot)
	heir, err := s.until("another leader", func(l election.LeaderRecord) bool { return l.Token() != last.Token() })
	if err != nil {
		return err
	}
	s.cast.heir = heir
	s.event("The others have seen that ballot stand still for a whole lease. %s takes over.", heir.ID)

	renewed := last.LeaseExpiry.Add(-last.LeaseDuration)
	silence := heir.AcquiredAt.Sub(renewed)
	switch {
	case heir.Term != last.Term+1 || heir.Ballot != last.Ballot+1 || heir.AcquireReason != election.AcquireExpiry:
		return s.expected("a take-over in the next term, at the next ballot", heir)
	case silence < last.LeaseDuration || silence > last.LeaseDuration+demoLease/3:
		return s.expected("a take-over between one lease and a heartbeat more after the last renewal", silence)
	}
	s.checked("term %d, ballot %d, %.2f s after the last renewal: not before the lease of %s was over",
		heir.Term, heir.Ballot, silence.Seconds(), last.LeaseDuration)
	return nil
}

// beginLate begins a write under a token and leaves it uncommitted: its fence
// has let it through.
func (s *stage) beginLate(token election.Token) error {
	tr, err := s.db.CreateTransaction(s.ctx)
	if err != nil {
		return err
	}
	s.cast.late = tr
	if err := s.election.RequireLeadership(tr, token); err != nil {
		return err
	}
	tr.Set(s.lateKey(), []byte(token.ID))
	return nil
}

func (s *stage) lateKey() []byte { return s.ledger.space.Sub("late").Bytes() }

func (s *stage) tellStale() error {
	stale, heir := s.cast.fifth.Token(), s.cast.heir
	s.event("The write that %s had under way arrives, in a transaction that read term %d.", stale.ID, stale.Term)
	if err := s.cast.late.Commit(); kv.CodeOf(err) != kv.CodeNotCommitted {
		return s.expected("the late commit refused with code 1020", err)
	}
	s.event("Refused as a conflict: the term has changed since.")
	s.event("%s is back from the dead, and tries once more with the token it holds.", stale.ID)
	err := s.db.Transact(s.ctx, func(tr kv.Transaction) error {
		if err := s.election.RequireLeadership(tr, stale); err != nil {
			return err
		}
		tr.Set(s.lateKey(), []byte(stale.ID))
		return nil
	})
	if !errors.Is(err, fdbelection.ErrFenced) {
		return s.expected("ErrFenced", err)
	}
	s.event("Refused with ErrFenced: that token is of term %d, and term %d has begun.", stale.Term, heir.Term)

	count := func(tr kv.ReadTransaction) (int, error) {
		payments, err := s.ledger.payments(tr)
		return of(heir.Term, payments), err
	}
	booked, err := ask(s, count)
	deadline := s.clock.Now().Add(demoPatience)
	for err == nil && booked == 0 && s.clock.Now().Before(deadline) {
		if err = clock.Sleep(s.ctx, s.clock, demoLook); err == nil {
			booked, err = ask(s, count)
		}
	}
	written, err2 := ask(s, func(tr kv.ReadTransaction) ([]byte, error) { return tr.Get(s.lateKey()).Get() })
	switch {
	case errors.Join(err, err2) != nil:
		return errors.Join(err, err2)
	case written != nil || booked == 0:
		return s.expected("nothing of the stale leader, and payments of the new one", fmt.Sprintf("%q, %d payments", written, booked))
	}
	s.checked("nothing of it was written, while %s has booked %d under term %d", heir.ID, booked, heir.Term)
	return nil
}

func (s *stage) tellHandover() error {
	heir := s.cast.heir
	s.event("%s is asked to leave. It finishes its work first.", heir.ID)
	s.actors[heir.ID].stop()
	next, err := s.until("a successor", func(l election.LeaderRecord) bool { return l.Term > heir.Term && !l.Vacant() })
	if err != nil {
		return err
	}
	<-s.actors[heir.ID].done
	s.event("%s leaves; %s takes the seat.", heir.ID, next.ID)
	ended, err := s.eventOf(heir.Term, election.EventEnded)
	vacant := next.AcquiredAt.Sub(ended.At)
	switch {
	case err != nil:
		return err
	case s.actors[heir.ID].err != nil:
		return s.actors[heir.ID].err
	case next.Term != heir.Term+1 || next.AcquireReason != election.AcquireVacancy:
		return s.expected("the next term, from a vacancy", next)
	case vacant < 0 || vacant >= demoLease/3:
		return s.expected("a successor in less than a heartbeat", vacant)
	}
	s.checked("term %d began %s after the seat was free: a watch told, no lease had to run out", next.Term, vacant.Round(10*time.Microsecond))
	return nil
}

// tellBooks checks all that was written by all leaders.
func (s *stage) tellBooks() error {
	payments, err := ask(s, s.ledger.payments)
	if err != nil {
		return err
	}
	history, err := ask(s, func(tr kv.ReadTransaction) ([]election.Event, error) { return s.election.History(tr, 0) })
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
			return s.expected("payments without a gap, each by the holder of its term, in the order of the terms", p)
		}
	}
	for _, term := range slices.Sorted(maps.Keys(holders)) {
		s.event("term %d  %-6s %3d payments", term, holders[term], of(term, payments))
	}
	s.checked("%d payments without a gap, each by the holder of its term, and no term after a later one", len(payments))
	return nil
}

// eventOf returns the history's entry of one end of a tenure.
func (s *stage) eventOf(term uint64, kind election.EventKind) (election.Event, error) {
	history, err := ask(s, func(tr kv.ReadTransaction) ([]election.Event, error) { return s.election.History(tr, 0) })
	for _, e := range history {
		if e.Term == term && e.Kind == kind {
			return e, nil
		}
	}
	if err == nil {
		err = s.expected(fmt.Sprintf("that term %d %s", term, kind), "no such entry in the history")
	}
	return election.Event{}, err
}
