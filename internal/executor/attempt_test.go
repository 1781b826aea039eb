package executor_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// TestRecordsAreStampedByTheWallClock, which people and other processes compare.
func TestRecordsAreStampedByTheWallClock(t *testing.T) {
	wall := func(b *fixture, at time.Time) {
		b.Helper()
		require.WithinDuration(b, epoch.Add(time.Hour), at, time.Minute)
	}
	b := newFixture(t).register(alice)
	wall(b, b.candidate("alice").LastHeartbeat)
	for _, kind := range []machine.Kind{machine.Rejoin, machine.Heartbeat, machine.ElectionCycle} {
		b.transact(func(tr kv.Transaction) error { return b.election.HeartbeatCandidate(tr, alice, epoch) })
		require.NoError(t, b.run(machine.Operation{Kind: kind}).Err)
		wall(b, b.candidate("alice").LastHeartbeat)
	}
	leader := b.leader()
	wall(b, leader.AcquiredAt)

	ended := func() {
		b.Helper()
		kinds, event := b.history()
		require.Equal(t, election.EventEnded, kinds[0])
		wall(b, event.At)
	}
	require.NoError(t, b.run(machine.Operation{Kind: machine.Resign, Token: leader.Token()}).Err)
	ended()
	leader = b.claim(alice)
	b.request(func(tr kv.Transaction) error { return b.election.RequestResign(tr, leader.Term, uuid.UUID{9}) })
	first := election.Request{Kind: election.TransferRequest, Term: leader.Term, Identity: bob.Identity, Nonce: uuid.UUID{8}}
	a := b.run(machine.Operation{Kind: machine.HandOver, Token: leader.Token(), Request: first})
	require.NoError(t, a.Err)
	require.Equal(t, b.leader(), a.Status.Leader)
	require.True(t, a.Status.Leader.Vacant())
	ended()
	b.claim(alice)
	require.NoError(t, b.run(machine.Operation{Kind: machine.Unregister}).Err)
	ended()

	b.register(alice, bob)
	leader = b.claim(alice)
	request := b.request(func(tr kv.Transaction) error {
		return b.election.RequestTransfer(tr, leader.Term, "bob", uuid.UUID{3})
	})
	a = b.run(machine.Operation{Kind: machine.HandOver, Token: leader.Token(), Request: request})
	require.NoError(t, a.Err)
	wall(b, a.Status.Leader.AcquiredAt)

	younger := bob
	younger.Incarnation = uuid.UUID{9}
	register := machine.Operation{Kind: machine.Register, Me: younger}
	register.Existing = b.run(register).Existing
	b.transact(func(tr kv.Transaction) error { return b.election.HeartbeatCandidate(tr, bob, epoch) })
	again := register
	require.ErrorIs(t, b.run(register).Err, fdbelection.ErrDuplicateID)
	_, event := b.history()
	require.Equal(t, election.EventDuplicate, event.Kind)
	wall(b, event.At)
	again.Existing = nil
	again.Existing, again.TakeOver = b.run(again).Existing, true
	require.NoError(t, b.run(again).Err)
	wall(b, b.candidate("bob").LastHeartbeat)
}

// TestAnErrorIsStamped, after the reads that found it: the loop counts from then that the
// election is gone.
func TestAnErrorIsStamped(t *testing.T) {
	for _, kind := range []machine.Kind{machine.ReadLeader, machine.Heartbeat, machine.ElectionCycle, machine.Settle, machine.List, machine.Register} {
		b := newFixture(t)
		if kind == machine.List {
			b.before = once(memkv.CallRead, kv.CodeIOError)
		}
		a := b.run(machine.Operation{Kind: kind})
		require.Error(t, a.Err, "%s", kind)
		require.True(t, !a.Start.IsZero() && a.Start.Before(a.Seen), "%s", kind)
	}
	_, a := newFixture(t).executor.Arm(t.Context(), machine.Operation{Kind: machine.WatchTerm, Me: alice})
	require.Error(t, a.Err)
	require.True(t, a.Start.Before(a.Seen))
}

// TestWhatItWroteIsSeenOnceItIsThere, and not when it was read before: a ballot is
// observed from after the commit that wrote it.
func TestWhatItWroteIsSeenOnceItIsThere(t *testing.T) {
	for _, kind := range []machine.Kind{machine.ElectionCycle, machine.Resign, machine.HandOver} {
		for _, led := range []bool{false, true} {
			if !led && kind != machine.ElectionCycle {
				continue
			}
			b := newFixture(t).register(alice, bob)
			op := machine.Operation{Kind: kind}
			if led {
				op.Token = b.claim(alice).Token()
			}
			if kind == machine.HandOver {
				op.Request = b.request(func(tr kv.Transaction) error {
					return b.election.RequestTransfer(tr, op.Token.Term, "bob", uuid.UUID{3})
				})
			}
			var committed time.Time
			b.after = func(c *memkv.Call) error {
				if c.Kind == memkv.CallCommit {
					committed = b.now().Local
				}
				return nil
			}
			a := b.run(op)
			require.NoError(t, a.Err)
			require.True(t, a.Seen.After(committed), "%s", kind)
		}
	}
}

// TestAFollowersCycleIsSeenAtItsReads: its commit wrote a heartbeat, and tells nothing new
// of the seat. A later stamp would delay the take-over.
func TestAFollowersCycleIsSeenAtItsReads(t *testing.T) {
	b := newFixture(t).register(alice, bob)
	b.claim(bob)
	var committing time.Time
	b.before = func(c *memkv.Call) error {
		if c.Kind == memkv.CallCommit {
			committing = b.now().Local
		}
		return nil
	}
	a := b.run(machine.Operation{Kind: machine.ElectionCycle})
	require.NoError(t, a.Err)
	require.Equal(t, election.Followed, a.Action)
	require.True(t, a.Seen.Before(committing))
}

// TestEachAttemptAnswersForItself: nothing of one that failed is left in the answer.
func TestEachAttemptAnswersForItself(t *testing.T) {
	t.Run("a renewal", func(t *testing.T) {
		b := newFixture(t).register(alice, bob)
		token := b.claim(alice).Token()
		b.request(func(tr kv.Transaction) error { return b.election.RequestResign(tr, token.Term, uuid.UUID{3}) })
		b.before = func(c *memkv.Call) error {
			if c.Kind == memkv.CallCommit && b.leader().HeldBy(alice.Identity) {
				b.claim(bob)
			}
			return nil
		}
		a := b.run(machine.Operation{Kind: machine.ElectionCycle, Token: token, Known: token, LeaderKnown: true})
		require.ErrorIs(t, a.Err, machine.ErrLeadershipLost)
		require.False(t, a.CanHandOver, "that was the attempt before")
		require.True(t, a.Status.Leader.HeldBy(bob.Identity))
	})
	t.Run("a look", func(t *testing.T) {
		b := newFixture(t).register(alice, bob)
		b.claim(bob)
		leader := b.claim(bob)
		waves := 0
		b.before = func(c *memkv.Call) error {
			if c.Kind != memkv.CallRead {
				return nil
			}
			if waves++; waves == 3 { // the record of bob was read, and the history is not yet
				b.transact(func(tr kv.Transaction) error { return b.election.ResignLeadership(tr, leader.Token(), epoch) })
				return kv.Error{Code: kv.CodeProcessBehind}
			}
			return nil
		}
		a := b.run(machine.Operation{Kind: machine.ReadLeader, LeaderKnown: true})
		require.NoError(t, a.Err)
		require.True(t, a.Status.Leader.Vacant())
		require.Nil(t, a.Candidate)
		require.Len(t, a.Missed, 2)
	})
	t.Run("a registration", func(t *testing.T) {
		b := newFixture(t).register(alice, bob)
		b.claim(bob)
		younger := alice
		younger.Incarnation = uuid.UUID{9}
		var left bool
		waves := 0
		b.before = func(c *memkv.Call) error {
			if c.Kind != memkv.CallRead || left {
				return nil
			}
			// The last wave of the first attempt reads the record of bob.
			if waves++; waves == 3 {
				left = true
				b.transact(func(tr kv.Transaction) error {
					return b.election.UnregisterCandidate(tr, alice.Identity, epoch)
				})
				return kv.Error{Code: kv.CodeProcessBehind}
			}
			return nil
		}
		a := b.run(machine.Operation{Kind: machine.Register, Me: younger})
		require.NoError(t, a.Err)
		require.True(t, left)
		require.Nil(t, a.Existing, "the one that the first attempt found has left")
		require.Zero(t, a.Status.Leader)
		require.True(t, a.MayHaveWritten)
		require.Equal(t, younger.Identity, b.candidate("alice").Identity)
	})
	t.Run("a list", func(t *testing.T) {
		b := newFixture(t).register(alice, bob)
		b.before = once(memkv.CallRead, kv.CodeProcessBehind)
		a := b.run(machine.Operation{Kind: machine.List, First: 9})
		require.NoError(t, a.Err)
		require.Len(t, a.Ranked, 2)
	})
}

// TestTheRecordOfAnElderLeader of the same id is not the own one.
func TestTheRecordOfAnElderLeader(t *testing.T) {
	b := newFixture(t).register(alice)
	b.claim(alice)
	younger := alice
	younger.Incarnation = uuid.UUID{9}
	require.Equal(t, alice.Identity, b.run(machine.Operation{Kind: machine.ReadLeader, Me: younger}).Candidate.Identity)
}

// TestAVacancyThatIsKnown takes one wave of reads: nothing was missed.
func TestAVacancyThatIsKnown(t *testing.T) {
	b := newFixture(t).register(alice, bob)
	leader := b.claim(bob)
	b.transact(func(tr kv.Transaction) error { return b.election.ResignLeadership(tr, leader.Token(), epoch) })
	before := b.db.Counters()
	a := b.run(machine.Operation{Kind: machine.ReadLeader, Known: b.leader().Token(), LeaderKnown: true})
	require.NoError(t, a.Err)
	require.Empty(t, a.Missed)
	require.Equal(t, int64(2), b.db.Counters().Sub(before).ReadWaves, "one of the test, and one of the look")
}

// TestABeatKeepsNoNotes: the loop has its own observation, as in a cycle, and the record
// stays small.
func TestABeatKeepsNoNotes(t *testing.T) {
	b := newFixture(t).register(alice, bob)
	seen := election.Observation{}.Next(b.claim(bob), epoch)
	require.NoError(t, b.run(machine.Operation{Kind: machine.ElectionCycle, Observation: seen}).Err)
	size := len(b.read("candidates", "alice"))
	require.NoError(t, b.run(machine.Operation{Kind: machine.Heartbeat, Observation: seen}).Err)
	require.Len(t, b.read("candidates", "alice"), size)
}

// spy counts the transactions that were made and not cancelled.
type spy struct {
	kv.Database
	open int
}

func (s *spy) CreateTransaction(ctx context.Context) (kv.OwnedTransaction, error) {
	tr, err := s.Database.CreateTransaction(ctx)
	s.open++
	return &spied{tr, s}, err
}

type spied struct {
	kv.OwnedTransaction
	spy *spy
}

func (s *spied) Cancel() {
	s.spy.open--
	s.OwnedTransaction.Cancel()
}

// TestNoTransactionIsLeft by a cycle, however it ends.
func TestNoTransactionIsLeft(t *testing.T) {
	b := newFixture(t)
	s := &spy{Database: b.executor.Database}
	b.executor.Database = s
	require.Error(t, b.run(machine.Operation{Kind: machine.ElectionCycle}).Err)
	require.Zero(t, s.open)
	b.register(alice)
	require.NoError(t, b.run(machine.Operation{Kind: machine.ElectionCycle}).Err)
	require.Zero(t, s.open)
}

// TestAnIntentOfAnotherTerm is void, also as the one that has come last.
func TestAnIntentOfAnotherTerm(t *testing.T) {
	b := newFixture(t).register(alice, bob)
	first := b.claim(alice)
	b.request(func(tr kv.Transaction) error { return b.election.RequestResign(tr, first.Term, uuid.UUID{9}) })
	stale := b.read("intent")
	require.NotEmpty(t, stale)
	leader := b.claim(alice)
	b.set(b.key("intent"), string(stale))
	a := b.run(machine.Operation{Kind: machine.HandOver, Token: leader.Token(), Request: election.Request{
		Kind: election.TransferRequest, Term: leader.Term, Identity: bob.Identity, Nonce: uuid.UUID{8},
	}})
	require.NoError(t, a.Err)
	require.Equal(t, leader, b.leader())
}

// TestAnIntentThatCannotBeRead leaves it open what was asked last: the hand-over is not
// done, and says so.
func TestAnIntentThatCannotBeRead(t *testing.T) {
	b := newFixture(t).register(alice, bob)
	leader := b.claim(alice)
	b.set(b.key("intent"), "rubbish")
	a := b.run(machine.Operation{Kind: machine.HandOver, Token: leader.Token(), Request: election.Request{
		Kind: election.TransferRequest, Term: leader.Term, Identity: bob.Identity, Nonce: uuid.UUID{8},
	}})
	require.ErrorIs(t, a.Err, fdbelection.ErrInvalidState)
	require.Equal(t, leader, b.leader())
}

// TestATransferThatCameLast is obeyed in place of what the work has ended for.
func TestATransferThatCameLast(t *testing.T) {
	b := newFixture(t).register(alice, bob)
	leader := b.claim(alice)
	b.request(func(tr kv.Transaction) error {
		return b.election.RequestTransfer(tr, leader.Term, "bob", uuid.UUID{3})
	})
	a := b.run(machine.Operation{Kind: machine.HandOver, Token: leader.Token(), Request: election.Request{
		Kind: election.PreemptionRequest, Term: leader.Term, Identity: bob.Identity, Nonce: uuid.UUID{8},
	}})
	require.NoError(t, a.Err)
	require.True(t, a.Status.Leader.HeldBy(bob.Identity))
	require.Equal(t, b.leader(), a.Status.Leader)
}

// TestAChallengeThatCameLast is judged by what the holder has observed, too.
func TestAChallengeThatCameLast(t *testing.T) {
	for _, c := range []struct {
		age    time.Duration // by the wall clock it is an hour
		yields bool
	}{{time.Minute, false}, {3 * time.Hour, true}} {
		b := newFixture(t)
		b.config.MinimumTenure, b.config.PreemptionGrace = 30*time.Minute, time.Second
		higher := bob
		higher.Priority = 9
		b.register(alice, higher)
		leader := b.claim(alice)
		b.request(func(tr kv.Transaction) error {
			long := election.Observation{}.Next(leader, epoch.Add(-5*time.Hour))
			long.BallotSince = epoch
			_, err := b.election.RunElectionCycle(tr, higher, epoch, election.WithObservation(long, epoch))
			return err
		})
		a := b.run(machine.Operation{
			Kind: machine.HandOver, Token: leader.Token(), Observation: election.Observation{}.Next(leader, epoch.Add(-c.age)),
			Request: election.Request{Kind: election.TransferRequest, Term: leader.Term, Identity: bob.Identity, Nonce: uuid.UUID{8}},
		})
		require.NoError(t, a.Err)
		require.Equal(t, c.yields, b.leader().HeldBy(higher.Identity))
	}
}

// TestAHoldersList tells that the election is gone, and costs a damaged record no more
// than itself.
func TestAHoldersList(t *testing.T) {
	b := newFixture(t).register(alice, bob)
	token := b.claim(alice).Token()
	b.set(b.key("leader"), "rubbish")
	a := b.run(machine.Operation{Kind: machine.List, Token: token})
	require.NoError(t, a.Err)
	require.Len(t, a.Members, 2)
	b.transact(func(tr kv.Transaction) error {
		tr.Clear(b.key("config"))
		return nil
	})
	require.ErrorIs(t, b.run(machine.Operation{Kind: machine.List, Token: token}).Err, fdbelection.ErrNotInitialized)
}
