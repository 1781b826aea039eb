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

// Records are stamped with the wall clock, which people and other processes compare.
func TestRecordsHaveTheWallClock(t *testing.T) {
	wall := func(f *fixture, at time.Time) {
		f.Helper()
		require.WithinDuration(f, epoch.Add(time.Hour), at, time.Minute)
	}
	f := newFixture(t).register(alice)
	wall(f, f.candidate("alice").LastHeartbeat)
	for _, kind := range []machine.Kind{machine.Rejoin, machine.Heartbeat, machine.ElectionCycle} {
		f.transact(func(tr kv.Transaction) error { return f.election.HeartbeatCandidate(tr, alice, epoch) })
		require.NoError(t, f.run(machine.Operation{Kind: kind}).Err)
		wall(f, f.candidate("alice").LastHeartbeat)
	}
	leader := f.leader()
	wall(f, leader.AcquiredAt)

	ended := func() {
		f.Helper()
		kinds, event := f.history()
		require.Equal(t, election.EventEnded, kinds[0])
		wall(f, event.At)
	}
	require.NoError(t, f.run(machine.Operation{Kind: machine.Resign, Token: leader.Token()}).Err)
	ended()
	leader = f.claim(alice)
	f.request(func(tr kv.Transaction) error { return f.election.RequestResign(tr, leader.Term, uuid.UUID{9}) })
	first := election.Request{Kind: election.TransferRequest, Term: leader.Term, Identity: bob.Identity, Nonce: uuid.UUID{8}}
	a := f.run(machine.Operation{Kind: machine.HandOver, Token: leader.Token(), Request: first})
	require.NoError(t, a.Err)
	require.Equal(t, f.leader(), a.Status.Leader)
	require.True(t, a.Status.Leader.Vacant())
	ended()
	f.claim(alice)
	require.NoError(t, f.run(machine.Operation{Kind: machine.Unregister}).Err)
	ended()

	f.register(alice, bob)
	leader = f.claim(alice)
	request := f.request(func(tr kv.Transaction) error {
		return f.election.RequestTransfer(tr, leader.Term, "bob", uuid.UUID{3})
	})
	a = f.run(machine.Operation{Kind: machine.HandOver, Token: leader.Token(), Request: request})
	require.NoError(t, a.Err)
	wall(f, a.Status.Leader.AcquiredAt)

	newer := bob
	newer.Incarnation = uuid.UUID{9}
	register := machine.Operation{Kind: machine.Register, Me: newer}
	register.Existing, register.ExistingChanged = f.run(register).Existing, true
	f.transact(func(tr kv.Transaction) error { return f.election.HeartbeatCandidate(tr, bob, epoch) })
	again := register
	require.ErrorIs(t, f.run(register).Err, fdbelection.ErrDuplicateID)
	_, event := f.history()
	require.Equal(t, election.EventDuplicate, event.Kind)
	wall(f, event.At)
	again.Existing, again.ExistingChanged = nil, false
	again.Existing, again.TakeOver = f.run(again).Existing, true
	require.NoError(t, f.run(again).Err)
	wall(f, f.candidate("bob").LastHeartbeat)
}

// A failed operation has a Start and a Seen. The loop counts from Seen that the election is gone.
func TestFailedOperationHasTimes(t *testing.T) {
	for _, kind := range []machine.Kind{machine.ReadLeader, machine.Heartbeat, machine.ElectionCycle, machine.Settle, machine.List, machine.Register} {
		f := newFixture(t)
		if kind == machine.List {
			f.before = once(memkv.CallRead, kv.CodeIOError)
		}
		a := f.run(machine.Operation{Kind: kind})
		require.Error(t, a.Err, "%s", kind)
		require.True(t, !a.Start.IsZero() && a.Start.Before(a.Seen), "%s", kind)
	}
	_, a := newFixture(t).executor.Arm(t.Context(), machine.Operation{Kind: machine.WatchTerm, Me: alice})
	require.Error(t, a.Err)
	require.True(t, a.Start.Before(a.Seen))
}

// If an operation has written the leader record, Seen is after its commit, because the record did
// not exist before.
func TestSeenIsAfterTheCommit(t *testing.T) {
	for _, kind := range []machine.Kind{machine.ElectionCycle, machine.Resign, machine.HandOver} {
		for _, led := range []bool{false, true} {
			if !led && kind != machine.ElectionCycle {
				continue
			}
			f := newFixture(t).register(alice, bob)
			op := machine.Operation{Kind: kind}
			if led {
				op.Token = f.claim(alice).Token()
			}
			if kind == machine.HandOver {
				op.Request = f.request(func(tr kv.Transaction) error {
					return f.election.RequestTransfer(tr, op.Token.Term, "bob", uuid.UUID{3})
				})
			}
			var committed time.Time
			f.after = func(c *memkv.Call) error {
				if c.Kind == memkv.CallCommit {
					committed = f.now().Local
				}
				return nil
			}
			a := f.run(op)
			require.NoError(t, a.Err)
			require.True(t, a.Seen.After(committed), "%s", kind)
		}
	}
}

// If a cycle has written only a heartbeat, Seen is before its commit. A later Seen would delay a
// take-over.
func TestSeenOfAFollowerIsBeforeTheCommit(t *testing.T) {
	f := newFixture(t).register(alice, bob)
	f.claim(bob)
	var committing time.Time
	f.before = func(c *memkv.Call) error {
		if c.Kind == memkv.CallCommit {
			committing = f.now().Local
		}
		return nil
	}
	a := f.run(machine.Operation{Kind: machine.ElectionCycle})
	require.NoError(t, a.Err)
	require.Equal(t, election.Followed, a.Action)
	require.True(t, a.Seen.Before(committing))
}

// The answer contains nothing of a failed attempt.
func TestAnswerIsOfTheLastAttempt(t *testing.T) {
	t.Run("a renewal", func(t *testing.T) {
		f := newFixture(t).register(alice, bob)
		token := f.claim(alice).Token()
		f.request(func(tr kv.Transaction) error { return f.election.RequestResign(tr, token.Term, uuid.UUID{3}) })
		f.before = func(c *memkv.Call) error {
			if c.Kind == memkv.CallCommit && f.leader().HeldBy(alice.Identity) {
				f.claim(bob)
			}
			return nil
		}
		a := f.run(machine.Operation{Kind: machine.ElectionCycle, Token: token, Known: token, LeaderKnown: true})
		require.ErrorIs(t, a.Err, machine.ErrLeadershipLost)
		require.False(t, a.CanHandOver, "only the failed attempt could hand over")
		require.True(t, a.Status.Leader.HeldBy(bob.Identity))
	})
	t.Run("a read of the leader", func(t *testing.T) {
		f := newFixture(t).register(alice, bob)
		f.claim(bob)
		leader := f.claim(bob)
		waves := 0
		f.before = func(c *memkv.Call) error {
			if c.Kind != memkv.CallRead {
				return nil
			}
			if waves++; waves == 3 { // the record of bob was read, and the history is not yet
				f.transact(func(tr kv.Transaction) error { return f.election.ResignLeadership(tr, leader.Token(), epoch) })
				return kv.Error{Code: kv.CodeProcessBehind}
			}
			return nil
		}
		a := f.run(machine.Operation{Kind: machine.ReadLeader, LeaderKnown: true})
		require.NoError(t, a.Err)
		require.True(t, a.Status.Leader.Vacant())
		require.Nil(t, a.Candidate)
		require.Len(t, a.Missed, 2)
	})
	t.Run("a registration", func(t *testing.T) {
		f := newFixture(t).register(alice, bob)
		f.claim(bob)
		newer := alice
		newer.Incarnation = uuid.UUID{9}
		var left bool
		waves := 0
		f.before = func(c *memkv.Call) error {
			if c.Kind != memkv.CallRead || left {
				return nil
			}
			// The last wave of the first attempt reads the record of bob.
			if waves++; waves == 3 {
				left = true
				f.transact(func(tr kv.Transaction) error {
					return f.election.UnregisterCandidate(tr, alice.Identity, epoch)
				})
				return kv.Error{Code: kv.CodeProcessBehind}
			}
			return nil
		}
		a := f.run(machine.Operation{Kind: machine.Register, Me: newer})
		require.NoError(t, a.Err)
		require.True(t, left)
		require.Nil(t, a.Existing, "the candidate that the first attempt found has left")
		require.Zero(t, a.Status.Leader)
		require.True(t, a.MayHaveWritten)
		require.Equal(t, newer.Identity, f.candidate("alice").Identity)
	})
	t.Run("a list", func(t *testing.T) {
		f := newFixture(t).register(alice, bob)
		f.before = once(memkv.CallRead, kv.CodeProcessBehind)
		a := f.run(machine.Operation{Kind: machine.List, First: 9})
		require.NoError(t, a.Err)
		require.Len(t, a.Ranked, 2)
	})
}

// The record of a leader with the same id and another incarnation is read.
func TestRecordOfAnOlderIncarnation(t *testing.T) {
	f := newFixture(t).register(alice)
	f.claim(alice)
	newer := alice
	newer.Incarnation = uuid.UUID{9}
	require.Equal(t, alice.Identity, f.run(machine.Operation{Kind: machine.ReadLeader, Me: newer}).Candidate.Identity)
}

// A read of a known vacancy takes one wave, because no tenure was missed.
func TestKnownVacancy(t *testing.T) {
	f := newFixture(t).register(alice, bob)
	leader := f.claim(bob)
	f.transact(func(tr kv.Transaction) error { return f.election.ResignLeadership(tr, leader.Token(), epoch) })
	before := f.db.Counters()
	a := f.run(machine.Operation{Kind: machine.ReadLeader, Known: f.leader().Token(), LeaderKnown: true})
	require.NoError(t, a.Err)
	require.Empty(t, a.Missed)
	require.Equal(t, int64(2), f.db.Counters().Sub(before).ReadWaves, "one of the test, and one of the operation")
}

// A heartbeat stores no observation in the candidate record, because the loop keeps its own.
func TestHeartbeatStoresNoObservation(t *testing.T) {
	f := newFixture(t).register(alice, bob)
	seen := election.Observation{}.Next(f.claim(bob), epoch)
	require.NoError(t, f.run(machine.Operation{Kind: machine.ElectionCycle, Observation: seen}).Err)
	size := len(f.read("candidates", "alice"))
	require.NoError(t, f.run(machine.Operation{Kind: machine.Heartbeat, Observation: seen}).Err)
	require.Len(t, f.read("candidates", "alice"), size)
}

// transactionCounter counts the transactions that were created and not cancelled.
type transactionCounter struct {
	kv.Database
	open int
}

func (s *transactionCounter) CreateTransaction(ctx context.Context) (kv.OwnedTransaction, error) {
	tr, err := s.Database.CreateTransaction(ctx)
	s.open++
	return &countedTransaction{tr, s}, err
}

type countedTransaction struct {
	kv.OwnedTransaction
	transactionCounter *transactionCounter
}

func (s *countedTransaction) Cancel() {
	s.transactionCounter.open--
	s.OwnedTransaction.Cancel()
}

// A cycle cancels its transactions, whether it succeeds or fails.
func TestCycleCancelsItsTransactions(t *testing.T) {
	f := newFixture(t)
	s := &transactionCounter{Database: f.executor.Database}
	f.executor.Database = s
	require.Error(t, f.run(machine.Operation{Kind: machine.ElectionCycle}).Err)
	require.Zero(t, s.open)
	f.register(alice)
	require.NoError(t, f.run(machine.Operation{Kind: machine.ElectionCycle}).Err)
	require.Zero(t, s.open)
}

// A request of another term is void, even if it is the newest.
func TestHandOverIgnoresARequestOfAnotherTerm(t *testing.T) {
	f := newFixture(t).register(alice, bob)
	first := f.claim(alice)
	f.request(func(tr kv.Transaction) error { return f.election.RequestResign(tr, first.Term, uuid.UUID{9}) })
	stale := f.read("intent")
	require.NotEmpty(t, stale)
	leader := f.claim(alice)
	f.set(f.key("intent"), string(stale))
	a := f.run(machine.Operation{Kind: machine.HandOver, Token: leader.Token(), Request: election.Request{
		Kind: election.TransferRequest, Term: leader.Term, Identity: bob.Identity, Nonce: uuid.UUID{8},
	}})
	require.NoError(t, a.Err)
	require.Equal(t, leader, f.leader())
}

// If the request record cannot be read, the newest request is unknown. The hand-over fails.
func TestHandOverWithADamagedRequest(t *testing.T) {
	f := newFixture(t).register(alice, bob)
	leader := f.claim(alice)
	f.set(f.key("intent"), "rubbish")
	a := f.run(machine.Operation{Kind: machine.HandOver, Token: leader.Token(), Request: election.Request{
		Kind: election.TransferRequest, Term: leader.Term, Identity: bob.Identity, Nonce: uuid.UUID{8},
	}})
	require.ErrorIs(t, a.Err, fdbelection.ErrInvalidState)
	require.Equal(t, leader, f.leader())
}

// A transfer request that is newer than the request for which the work was stopped counts.
func TestHandOverActsOnANewerTransferRequest(t *testing.T) {
	f := newFixture(t).register(alice, bob)
	leader := f.claim(alice)
	f.request(func(tr kv.Transaction) error {
		return f.election.RequestTransfer(tr, leader.Term, "bob", uuid.UUID{3})
	})
	a := f.run(machine.Operation{Kind: machine.HandOver, Token: leader.Token(), Request: election.Request{
		Kind: election.PreemptionRequest, Term: leader.Term, Identity: bob.Identity, Nonce: uuid.UUID{8},
	}})
	require.NoError(t, a.Err)
	require.True(t, a.Status.Leader.HeldBy(bob.Identity))
	require.Equal(t, f.leader(), a.Status.Leader)
}

// A newer preemption request is judged by the observation of the leader, too.
func TestHandOverActsOnANewerPreemptionRequest(t *testing.T) {
	for _, c := range []struct {
		age       time.Duration // on the wall clock it is an hour
		handsOver bool
	}{{time.Minute, false}, {3 * time.Hour, true}} {
		f := newFixture(t)
		f.config.MinimumTenure, f.config.PreemptionGrace = 30*time.Minute, time.Second
		higher := bob
		higher.Priority = 9
		f.register(alice, higher)
		leader := f.claim(alice)
		f.request(func(tr kv.Transaction) error {
			long := election.Observation{}.Next(leader, epoch.Add(-5*time.Hour))
			long.BallotSince = epoch
			_, err := f.election.RunElectionCycle(tr, higher, epoch, election.WithObservation(long, epoch))
			return err
		})
		a := f.run(machine.Operation{
			Kind: machine.HandOver, Token: leader.Token(), Observation: election.Observation{}.Next(leader, epoch.Add(-c.age)),
			Request: election.Request{Kind: election.TransferRequest, Term: leader.Term, Identity: bob.Identity, Nonce: uuid.UUID{8}},
		})
		require.NoError(t, a.Err)
		require.Equal(t, c.handsOver, f.leader().HeldBy(higher.Identity))
	}
}

// The list of a leader fails if the election is gone. If the leader record is damaged, it still
// lists the candidates.
func TestListOfALeader(t *testing.T) {
	f := newFixture(t).register(alice, bob)
	token := f.claim(alice).Token()
	f.set(f.key("leader"), "rubbish")
	a := f.run(machine.Operation{Kind: machine.List, Token: token})
	require.NoError(t, a.Err)
	require.Len(t, a.Members, 2)
	f.transact(func(tr kv.Transaction) error {
		tr.Clear(f.key("config"))
		return nil
	})
	require.ErrorIs(t, f.run(machine.Operation{Kind: machine.List, Token: token}).Err, fdbelection.ErrNotInitialized)
}
