package executor_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/executor"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

var (
	epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	alice = election.Registration{Identity: election.Identity{ID: "alice", Incarnation: uuid.UUID{1}}, Priority: 5}
	bob   = election.Registration{Identity: election.Identity{ID: "bob", Incarnation: uuid.UUID{2}}, Priority: 5}
)

// bench is a database with an election, and an executor on it whose clock moves
// on by a millisecond whenever it is read.
type fixture struct {
	*testing.T
	db       *memkv.DB
	election *election.LeaderElection
	executor *executor.Executor
	config   fdbelection.Config

	mu     sync.Mutex
	ticks  time.Duration
	before func(*memkv.Call) error
	after  func(*memkv.Call) error
	events []any // what was told, and the commits of the executor between
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	b := &fixture{T: t, election: election.New(subspace.New("test"))}
	b.config = fdbelection.RecipeConfig()
	b.config.Expiry = fdbelection.ExpiryByObservation
	b.db = memkv.New(memkv.Options{
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		Hooks: &memkv.Hooks{
			Before: func(_ context.Context, c *memkv.Call) error {
				if c.Client == "executor" && c.Kind == memkv.CallCommit {
					b.events = append(b.events, "commit")
				}
				if b.before != nil && c.Client == "executor" {
					return b.before(c)
				}
				return nil
			},
			After: func(_ context.Context, c *memkv.Call) error {
				if b.after != nil && c.Client == "executor" {
					return b.after(c)
				}
				return nil
			},
		},
	})
	b.executor = &executor.Executor{
		Database: b.db.NewClient("executor", memkv.ClientOptions{}), Election: b.election, Now: b.now,
	}
	return b
}

func (b *fixture) now() machine.Now {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ticks += time.Millisecond
	return machine.Now{Local: epoch.Add(b.ticks), Wall: epoch.Add(time.Hour + b.ticks)}
}

// run carries out an operation of alice.
func (b *fixture) run(op machine.Operation) machine.Answer {
	b.Helper()
	op.ID = 7
	if op.Me.ID == "" {
		op.Me = alice
	}
	b.events = nil
	return b.executor.Run(b.Context(), op, func(e machine.Event) { b.events = append(b.events, e) })
}

// transact does something behind the executor's back.
func (b *fixture) transact(fn func(tr kv.Transaction) error) {
	b.Helper()
	require.NoError(b, b.db.Transact(b.Context(), fn))
}

// register makes the election and enters candidates.
func (b *fixture) register(all ...election.Registration) *fixture {
	b.Helper()
	for _, me := range all {
		require.NoError(b, b.run(machine.Operation{Kind: machine.Register, Config: b.config, Me: me}).Err)
	}
	return b
}

// claim has somebody claim the seat, whatever it takes, and returns its record.
func (b *fixture) claim(me election.Registration) (leader election.LeaderRecord) {
	b.Helper()
	b.transact(func(tr kv.Transaction) error {
		state, err := b.election.ReadStatus(tr)
		if err != nil {
			return err
		}
		if !state.Leader.Vacant() {
			if err := b.election.ResignLeadership(tr, state.Leader.Token(), epoch); err != nil {
				return err
			}
		}
		result, err := b.election.RunElectionCycle(tr, me, epoch, election.WithObservation(election.Observation{}, epoch))
		leader = result.Leader
		return err
	})
	return leader
}

func (b *fixture) leader() (leader election.LeaderRecord) {
	b.Helper()
	b.transact(func(tr kv.Transaction) (err error) {
		leader, err = b.election.GetLeaderRaw(tr)
		return err
	})
	return leader
}

// key is that of a record of the election, by its names.
func (b *fixture) key(names ...string) []byte { return b.election.Subspace().Sub(names...).Bytes() }

func (b *fixture) set(key []byte, value string) {
	b.Helper()
	b.transact(func(tr kv.Transaction) error {
		tr.Set(key, []byte(value))
		return nil
	})
}

// request asks something of the leader.
func (b *fixture) request(ask func(tr kv.Transaction) error) election.Request {
	b.Helper()
	b.transact(ask)
	var request election.Request
	b.transact(func(tr kv.Transaction) (err error) {
		request, err = b.election.ReadRequest(tr)
		return err
	})
	return request
}

// once returns a hook that answers the first call of a kind with an error.
func once(kind memkv.CallKind, code int) func(*memkv.Call) error {
	done := false
	return func(c *memkv.Call) error {
		if c.Kind != kind || done {
			return nil
		}
		done = true
		return kv.Error{Code: code}
	}
}

func TestRegister(t *testing.T) {
	b := newFixture(t)
	a := b.run(machine.Operation{Kind: machine.Register})
	require.ErrorIs(t, a.Err, fdbelection.ErrNotInitialized)
	require.False(t, a.MayHaveWritten)

	a = b.run(machine.Operation{Kind: machine.Register, Config: b.config})
	require.NoError(t, a.Err)
	require.True(t, a.Status.Config.SameSettings(b.config))
	require.Equal(t, uint64(1), a.Status.Config.Revision)
	require.True(t, a.Start.Before(a.Seen))

	other := b.config
	other.LeaseDuration *= 2
	a = b.run(machine.Operation{Kind: machine.Rejoin, Config: other})
	require.NoError(t, a.Err)
	require.True(t, a.Status.Config.SameSettings(b.config), "what is there stays")

	younger := alice
	younger.Incarnation = uuid.UUID{9}
	require.ErrorIs(t, b.run(machine.Operation{Kind: machine.Rejoin, Me: younger}).Err, fdbelection.ErrDuplicateID)
	b.transact(func(tr kv.Transaction) error { return b.election.RegisterCandidate(tr, younger, epoch) })
	a = b.run(machine.Operation{Kind: machine.Rejoin})
	require.ErrorIs(t, a.Err, fdbelection.ErrDuplicateID, "a younger process goes first")
	require.Zero(t, a.Status.Config, "everything else is void")
}

// TestTouched: what a failed operation may have left on its way.
func TestTouched(t *testing.T) {
	lost := func(b *fixture) { b.after = once(memkv.CallCommit, kv.CodeTransactionTimedOut) }
	refused := func(b *fixture) { b.before = once(memkv.CallCommit, kv.CodeTransactionTooLarge) }
	for _, c := range []struct {
		name string
		kind machine.Kind
		led  bool // alice holds the seat before
		fail func(*fixture)
		want bool
	}{
		{"a registration", machine.Register, false, lost, true},
		{"a registration that was refused", machine.Register, false, refused, false},
		{"a claim", machine.ElectionCycle, false, lost, true},
		{"a claim that was refused", machine.ElectionCycle, false, refused, false},
		{"a renewal", machine.ElectionCycle, true, lost, true},
		{"a resignation", machine.Resign, true, lost, true},
		{"a resignation that was refused", machine.Resign, true, refused, false},
		{"a hand-over", machine.HandOver, true, lost, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newFixture(t).register(alice, bob)
			op := machine.Operation{Kind: c.kind}
			if c.led {
				leader := b.claim(alice)
				op.Token = leader.Token()
				op.Request = b.request(func(tr kv.Transaction) error {
					return b.election.RequestTransfer(tr, leader.Term, "bob", uuid.UUID{3})
				})
			}
			c.fail(b)
			a := b.run(op)
			require.Error(t, a.Err)
			require.Equal(t, c.want, a.MayHaveWritten)
			require.Zero(t, a.Status)
			require.False(t, a.Start.IsZero())
		})
	}
	b := newFixture(t).register(alice, bob)
	b.claim(bob)
	lost(b)
	a := b.run(machine.Operation{Kind: machine.ElectionCycle})
	require.Error(t, a.Err)
	require.False(t, a.MayHaveWritten, "a heartbeat alone touches no seat")

	b = newFixture(t)
	b.config.PreemptionGrace = time.Second
	weak := bob
	weak.Priority = 1
	b.register(alice, weak)
	b.claim(weak)
	lost(b)
	a = b.run(machine.Operation{Kind: machine.ElectionCycle})
	require.Error(t, a.Err)
	require.True(t, a.MayHaveWritten, "a challenge may still arrive")
}

func TestBeatSettleAndList(t *testing.T) {
	b := newFixture(t).register(alice, bob)
	leader := b.claim(bob)
	require.NoError(t, b.run(machine.Operation{Kind: machine.Heartbeat}).Err)
	a := b.run(machine.Operation{Kind: machine.List})
	require.NoError(t, a.Err)
	require.Len(t, a.Members, 2)
	require.Equal(t, uint64(2), a.Members[0].Heartbeats)
	require.Zero(t, a.Status)
	a = b.run(machine.Operation{Kind: machine.List, Token: leader.Token()})
	require.Equal(t, leader.Token(), a.Status.Term.Token, "a holder is told of the term record")
	require.Len(t, a.Members, 2)
	a = b.run(machine.Operation{Kind: machine.List, First: 1, Also: []string{"bob"}})
	require.NoError(t, a.Err)
	require.Len(t, a.Members, 2)
	require.Len(t, a.Ranked, 1)
	require.Equal(t, a.Members[0].ID, a.Ranked[0].ID)
	b.set(b.key("candidates", "bob"), "rubbish")
	for _, first := range []int{0, 9} {
		a = b.run(machine.Operation{Kind: machine.List, First: first})
		require.NoError(t, a.Err, "those that can be read are listed")
		require.Len(t, a.Members, 1)
	}
	b.before = once(memkv.CallRead, kv.CodeIOError)
	require.Error(t, b.run(machine.Operation{Kind: machine.List}).Err)

	a = b.run(machine.Operation{Kind: machine.Settle})
	require.NoError(t, a.Err)
	require.Equal(t, leader, a.Status.Leader)
	require.Equal(t, []any{"commit"}, b.events, "it is a commit that settles")
	b.set(b.key("leader"), "rubbish")
	require.ErrorIs(t, b.run(machine.Operation{Kind: machine.Settle}).Err, fdbelection.ErrInvalidState)
	b.transact(func(tr kv.Transaction) error {
		tr.Clear(b.key("config"))
		tr.Clear(b.key("leader"))
		return nil
	})
	require.ErrorIs(t, b.run(machine.Operation{Kind: machine.Settle}).Err, fdbelection.ErrNotInitialized)
	require.ErrorIs(t, b.run(machine.Operation{Kind: machine.Heartbeat}).Err, fdbelection.ErrNotInitialized)
}

func TestEvict(t *testing.T) {
	b := newFixture(t).register(alice, bob)
	a := b.run(machine.Operation{Kind: machine.List})
	moved := a.Members[0]
	moved.Heartbeats += 5
	a = b.run(machine.Operation{Kind: machine.Evict, Members: []election.Candidate{a.Members[1], moved}})
	require.NoError(t, a.Err)
	require.Equal(t, []string{"bob"}, a.Evicted)
}

func TestAWatchIsNotRun(t *testing.T) {
	b := newFixture(t)
	require.Error(t, b.run(machine.Operation{Kind: machine.WatchTerm}).Err)
	require.Error(t, b.run(machine.Operation{Kind: machine.WatchRequest}).Err)
}

// TestAnEndedContext ends every operation.
func TestAnEndedContext(t *testing.T) {
	b := newFixture(t).register(alice)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for kind := machine.Register; kind <= machine.Evict; kind++ {
		a := b.executor.Run(ctx, machine.Operation{Kind: kind, Me: alice, Token: election.Token{Term: 1, Identity: alice.Identity}, Request: election.Request{Identity: bob.Identity, Nonce: uuid.UUID{1}}}, nil)
		require.ErrorIs(t, a.Err, context.Canceled, "%s", kind)
		require.False(t, a.MayHaveWritten, "%s", kind)
	}
	_, a := b.executor.Arm(ctx, machine.Operation{Kind: machine.WatchTerm, Me: alice})
	require.ErrorIs(t, a.Err, context.Canceled)
}
