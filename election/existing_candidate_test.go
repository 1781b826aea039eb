package election_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// takeOver registers a new process if the existing candidate is still as seen.
func (b *bench) takeOver(me election.Registration, seen *election.ExistingCandidate) (found *election.ExistingCandidate) {
	b.t.Helper()
	b.do(func(tr kv.Transaction) (err error) {
		found, err = b.TakeOverCandidate(tr, me, seen, start)
		return err
	})
	return found
}

func (b *bench) candidate(id string) (c election.Candidate) {
	b.t.Helper()
	b.do(func(tr kv.Transaction) (err error) {
		c, err = b.GetCandidate(tr, id)
		return err
	})
	return c
}

func newcomer(id string) election.Registration {
	return election.Registration{Identity: election.Identity{ID: id, Incarnation: uuid.New()}}
}

// TestTakeOver: a new process registers if its id is free, and replaces an incarnation whose
// record is still as it was seen. Any write of that incarnation in between prevents it.
func TestTakeOver(t *testing.T) {
	b := newBench(t)
	first := newcomer("a")
	require.Nil(t, b.takeOver(first, nil), "the id is free")
	require.Nil(t, b.takeOver(first, nil), "its own record does not block it")
	require.EqualValues(t, 2, b.candidate("a").Heartbeats)

	second := newcomer("a")
	seen := b.takeOver(second, nil)
	require.Equal(t, b.candidate("a"), seen.Candidate)
	require.True(t, seen.Leader.Vacant())
	require.Equal(t, first.Identity, b.candidate("a").Identity, "nothing was written")

	for name, act := range map[string]func(tr kv.Transaction) error{
		"a heartbeat": func(tr kv.Transaction) error { return b.HeartbeatCandidate(tr, first, start) },
		"another registration": func(tr kv.Transaction) error {
			if err := b.UnregisterCandidate(tr, first.Identity, start); err != nil {
				return err
			}
			return b.RegisterCandidate(tr, first, start)
		},
		"another incarnation": func(tr kv.Transaction) error {
			first = newcomer("a")
			return b.RegisterCandidate(tr, first, start)
		},
		"a claim": func(tr kv.Transaction) error {
			_, err := b.TryClaimLeadership(tr, first.Identity, start, election.WithObservation(election.Observation{}, start))
			return err
		},
		"a renewal without a heartbeat": func(tr kv.Transaction) error {
			leader, err := b.GetLeaderRaw(tr)
			if err == nil {
				_, err = b.RefreshLease(tr, leader.Token(), start)
			}
			return err
		},
	} {
		if name == "a renewal without a heartbeat" {
			b.cycle(first, start)
		}
		seen = b.takeOver(second, nil)
		b.do(act)
		found := b.takeOver(second, seen)
		require.NotNil(t, found, name)
		require.True(t, seen.ChangedIn(found), name)
		require.False(t, found.ChangedIn(found), name)
		require.Equal(t, first.Identity, b.candidate("a").Identity, name)
		if l := found.Leader; l.HeldBy(first.Identity) {
			b.do(func(tr kv.Transaction) error { return b.ResignLeadership(tr, l.Token(), start) })
		}
	}

	seen = b.takeOver(second, nil)
	require.Nil(t, b.takeOver(second, seen))
	require.Equal(t, second.Identity, b.candidate("a").Identity)
	b.do(func(tr kv.Transaction) error {
		require.ErrorIs(t, b.HeartbeatCandidate(tr, first, start), fdbelection.ErrDuplicateID)
		return nil
	})
}

// TestTakeOverOfASuccessor: if others hand leadership to the existing candidate, that does not
// show that it is alive. Neither does what others do with leadership afterwards.
func TestTakeOverOfASuccessor(t *testing.T) {
	b := newBench(t)
	a, holder := b.join("a", 0), b.join("holder", 0)
	leader := b.cycle(holder, start).Leader
	second := newcomer("a")
	seen := b.takeOver(second, nil)
	require.Equal(t, leader, seen.Leader)
	b.cycle(holder, start)
	b.do(func(tr kv.Transaction) error {
		_, err := b.TransferLeadership(tr, leader.Token(), "a", uuid.New(), start)
		return err
	})
	found := b.takeOver(second, nil)
	require.True(t, found.Leader.HeldBy(a.Identity))
	require.False(t, seen.ChangedIn(found))

	third := b.join("third", 0)
	b.do(func(tr kv.Transaction) error { return b.ResignLeadership(tr, found.Leader.Token(), start) })
	b.cycle(third, start)
	again := b.takeOver(second, found)
	require.NotNil(t, again, "another candidate leads, so the ballot has changed")
	require.False(t, found.ChangedIn(again))
	require.Nil(t, b.takeOver(second, again))
}

// TestTakeOverConflictsWithAClaim: a claim between the read and the commit of a take-over makes
// it conflict.
func TestTakeOverConflictsWithAClaim(t *testing.T) {
	b := newBench(t, func(c *fdbelection.Config) { c.Expiry = fdbelection.ExpiryByClock })
	a, other := b.join("a", 0), b.join("other", 0)
	leader := b.cycle(a, start).Leader
	second := newcomer("a")
	seen := b.takeOver(second, nil)
	attempts := 0
	var found *election.ExistingCandidate
	b.do(func(tr kv.Transaction) (err error) {
		found, err = b.TakeOverCandidate(tr, second, seen, start)
		if attempts++; attempts == 1 {
			require.Nil(t, found)
			b.cycle(other, start.Add(leader.LeaseDuration))
		}
		return err
	})
	require.Equal(t, 2, attempts)
	require.True(t, found.Leader.HeldBy(other.Identity))
}

// TestTakeOverConflictsWithAHeartbeat: a heartbeat between the read and the commit of a
// take-over makes it conflict, and the next attempt does not replace the candidate.
func TestTakeOverConflictsWithAHeartbeat(t *testing.T) {
	b := newBench(t)
	a := b.join("a", 0)
	second := newcomer("a")
	seen := b.takeOver(second, nil)
	attempts := 0
	var found *election.ExistingCandidate
	b.do(func(tr kv.Transaction) (err error) {
		found, err = b.TakeOverCandidate(tr, second, seen, start)
		if attempts++; attempts == 1 {
			require.Nil(t, found)
			b.do(func(tr kv.Transaction) error { return b.HeartbeatCandidate(tr, a, start) })
		}
		return err
	})
	require.Equal(t, 2, attempts)
	require.True(t, seen.ChangedIn(found))
	require.Equal(t, a.Identity, b.candidate("a").Identity)
}

// TestRecordDuplicate: the history has one EventDuplicate for each term, under the current
// term. It is trimmed with the other events of the term.
func TestRecordDuplicate(t *testing.T) {
	b := newBench(t, func(c *fdbelection.Config) { c.HistoryLimit = 2 })
	a := b.join("a", 0)
	others := []election.Registration{newcomer("a"), newcomer("a"), newcomer("a")}
	record := func(i int) {
		b.do(func(tr kv.Transaction) error {
			return b.RecordDuplicate(tr, a.Identity, others[i].Identity, start.Add(time.Duration(i)))
		})
	}
	events := func() (events []election.Event) {
		b.do(func(tr kv.Transaction) (err error) {
			events, err = b.History(tr, 0)
			return err
		})
		return events
	}
	record(0)
	require.Equal(t, []election.EventKind{election.EventDuplicate}, kindsOf(events()), "in term 0")
	leader := b.cycle(a, start).Leader
	record(1)
	record(2)
	all := events()
	require.Equal(t, []election.EventKind{election.EventDuplicate, election.EventBegan, election.EventDuplicate}, kindsOf(all))
	want := election.Event{
		Term: 1, Kind: election.EventDuplicate, From: a.Identity, To: others[2].Identity,
		Reason: all[0].Reason, Ballot: leader.Ballot, At: start.Add(2), Nonce: leader.Nonce,
	}
	require.Equal(t, want, all[0])
	require.Contains(t, want.Reason, "another process runs under this id")
	require.Equal(t, "duplicate", want.Kind.String())
	for range 2 {
		b.do(func(tr kv.Transaction) error { return b.ResignLeadership(tr, leader.Token(), start) })
		leader = b.cycle(a, start).Leader
	}
	require.EqualValues(t, 2, events()[len(events())-1].Term)

	none := newBench(t, func(c *fdbelection.Config) { c.HistoryLimit = 0 })
	none.do(func(tr kv.Transaction) error {
		return none.RecordDuplicate(tr, a.Identity, others[0].Identity, start)
	})
	none.do(func(tr kv.Transaction) error {
		all, err := none.History(tr, 0)
		require.Empty(t, all)
		return err
	})
}

func kindsOf(events []election.Event) (kinds []election.EventKind) {
	for _, e := range events {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// TestRecordDuplicateDependsOnTheTerm: an EventDuplicate conflicts with a change of the term,
// and not with a renewal.
func TestRecordDuplicateDependsOnTheTerm(t *testing.T) {
	b := newBench(t)
	a := b.join("a", 0)
	leader := b.cycle(a, start).Leader
	for name, c := range map[string]struct {
		between  func()
		attempts int
	}{
		"a renewal": {func() { b.cycle(a, start) }, 1},
		"the end of the term": {func() {
			b.do(func(tr kv.Transaction) error { return b.ResignLeadership(tr, leader.Token(), start) })
		}, 2},
	} {
		attempts := 0
		b.do(func(tr kv.Transaction) error {
			err := b.RecordDuplicate(tr, a.Identity, newcomer("a").Identity, start)
			if attempts++; attempts == 1 {
				c.between()
			}
			return err
		})
		require.Equal(t, c.attempts, attempts, name)
		leader = b.cycle(a, start).Leader
	}
}

// If the term is raised while an EventDuplicate of an earlier term is recorded, that event is removed too.
func TestRaiseTermRemovesAnEventThatComesMeanwhile(t *testing.T) {
	b := newBench(t, func(c *fdbelection.Config) { c.HistoryLimit = 1 })
	a := b.join("a", 0)
	b.cycle(a, start)
	attempts := 0
	b.do(func(tr kv.Transaction) error {
		_, err := b.RaiseTerm(tr, 7, start)
		if attempts++; attempts == 1 {
			b.do(func(tr kv.Transaction) error { return b.RecordDuplicate(tr, a.Identity, newcomer("a").Identity, start) })
		}
		return err
	})
	require.Equal(t, 2, attempts)
	b.do(func(tr kv.Transaction) error {
		events, err := b.History(tr, 0)
		for i := range events {
			require.Equal(t, uint64(7), events[i].Term)
		}
		return err
	})
}
