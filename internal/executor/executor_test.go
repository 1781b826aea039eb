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

// fixture is a database with an election, and an executor on it. Its clock advances by a millisecond
// at each call.
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
	events []any // the notifications and the commits of the executor, in order
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{T: t, election: election.New(subspace.New("test"))}
	f.config = fdbelection.RecipeConfig()
	f.config.Expiry = fdbelection.ExpiryByObservation
	f.db = memkv.New(memkv.Options{
		Sleep: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
		Hooks: &memkv.Hooks{
			Before: func(_ context.Context, c *memkv.Call) error {
				if c.Client == "executor" && c.Kind == memkv.CallCommit {
					f.events = append(f.events, "commit")
				}
				if f.before != nil && c.Client == "executor" {
					return f.before(c)
				}
				return nil
			},
			After: func(_ context.Context, c *memkv.Call) error {
				if f.after != nil && c.Client == "executor" {
					return f.after(c)
				}
				return nil
			},
		},
	})
	f.executor = &executor.Executor{
		Database: f.db.NewClient("executor", memkv.ClientOptions{}), Election: f.election, Now: f.now,
	}
	return f
}

func (f *fixture) now() machine.Now {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ticks += time.Millisecond
	return machine.Now{Local: epoch.Add(f.ticks), Wall: epoch.Add(time.Hour + f.ticks)}
}

// run runs an operation, by default of alice.
func (f *fixture) run(op machine.Operation) machine.Answer {
	f.Helper()
	op.ID = 7
	if op.Me.ID == "" {
		op.Me = alice
	}
	f.events = nil
	return f.executor.Run(f.Context(), op, func(e machine.Event) { f.events = append(f.events, e) })
}

// transact commits a transaction of another client.
func (f *fixture) transact(fn func(tr kv.Transaction) error) {
	f.Helper()
	require.NoError(f, f.db.Transact(f.Context(), fn))
}

// register creates the election and registers candidates.
func (f *fixture) register(all ...election.Registration) *fixture {
	f.Helper()
	for _, me := range all {
		require.NoError(f, f.run(machine.Operation{Kind: machine.Register, Config: f.config, Me: me}).Err)
	}
	return f
}

// claim makes a candidate the leader, after a resignation if necessary, and returns the leader record.
func (f *fixture) claim(me election.Registration) (leader election.LeaderRecord) {
	f.Helper()
	f.transact(func(tr kv.Transaction) error {
		state, err := f.election.ReadStatus(tr)
		if err != nil {
			return err
		}
		if !state.Leader.Vacant() {
			if err := f.election.ResignLeadership(tr, state.Leader.Token(), epoch); err != nil {
				return err
			}
		}
		result, err := f.election.RunElectionCycle(tr, me, epoch, election.WithObservation(election.Observation{}, epoch))
		leader = result.Leader
		return err
	})
	return leader
}

func (f *fixture) leader() (leader election.LeaderRecord) {
	f.Helper()
	f.transact(func(tr kv.Transaction) (err error) {
		leader, err = f.election.GetLeaderRaw(tr)
		return err
	})
	return leader
}

// key returns the key of a record of the election.
func (f *fixture) key(names ...string) []byte { return f.election.Subspace().Sub(names...).Bytes() }

func (f *fixture) set(key []byte, value string) {
	f.Helper()
	f.transact(func(tr kv.Transaction) error {
		tr.Set(key, []byte(value))
		return nil
	})
}

// request commits a request and reads it.
func (f *fixture) request(ask func(tr kv.Transaction) error) election.Request {
	f.Helper()
	f.transact(ask)
	var request election.Request
	f.transact(func(tr kv.Transaction) (err error) {
		request, err = f.election.ReadRequest(tr)
		return err
	})
	return request
}

// once returns a hook that fails the first call of a kind.
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
	f := newFixture(t)
	a := f.run(machine.Operation{Kind: machine.Register})
	require.ErrorIs(t, a.Err, fdbelection.ErrNotInitialized)
	require.False(t, a.MayHaveWritten)

	a = f.run(machine.Operation{Kind: machine.Register, Config: f.config})
	require.NoError(t, a.Err)
	require.True(t, a.Status.Config.SameSettings(f.config))
	require.Equal(t, uint64(1), a.Status.Config.Revision)
	require.True(t, a.Start.Before(a.Seen))

	other := f.config
	other.LeaseDuration *= 2
	a = f.run(machine.Operation{Kind: machine.Rejoin, Config: other})
	require.NoError(t, a.Err)
	require.True(t, a.Status.Config.SameSettings(f.config), "the stored config stays")

	newer := alice
	newer.Incarnation = uuid.UUID{9}
	require.ErrorIs(t, f.run(machine.Operation{Kind: machine.Rejoin, Me: newer}).Err, fdbelection.ErrDuplicateID)
	f.transact(func(tr kv.Transaction) error { return f.election.RegisterCandidate(tr, newer, epoch) })
	a = f.run(machine.Operation{Kind: machine.Rejoin})
	require.ErrorIs(t, a.Err, fdbelection.ErrDuplicateID, "a newer process has the id")
	require.Zero(t, a.Status.Config, "a failed operation returns nothing else")
}

// A failed operation reports whether its writes may exist or arrive later.
func TestMayHaveWritten(t *testing.T) {
	lost := func(f *fixture) { f.after = once(memkv.CallCommit, kv.CodeTransactionTimedOut) }
	refused := func(f *fixture) { f.before = once(memkv.CallCommit, kv.CodeTransactionTooLarge) }
	for _, c := range []struct {
		name string
		kind machine.Kind
		led  bool // alice leads before
		fail func(*fixture)
		want bool
	}{
		{"a registration", machine.Register, false, lost, true},
		{"a registration that did not commit", machine.Register, false, refused, false},
		{"a claim", machine.ElectionCycle, false, lost, true},
		{"a claim that did not commit", machine.ElectionCycle, false, refused, false},
		{"a renewal", machine.ElectionCycle, true, lost, true},
		{"a resignation", machine.Resign, true, lost, true},
		{"a resignation that did not commit", machine.Resign, true, refused, false},
		{"a hand-over", machine.HandOver, true, lost, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t).register(alice, bob)
			op := machine.Operation{Kind: c.kind}
			if c.led {
				leader := f.claim(alice)
				op.Token = leader.Token()
				op.Request = f.request(func(tr kv.Transaction) error {
					return f.election.RequestTransfer(tr, leader.Term, "bob", uuid.UUID{3})
				})
			}
			c.fail(f)
			a := f.run(op)
			require.Error(t, a.Err)
			require.Equal(t, c.want, a.MayHaveWritten)
			require.Zero(t, a.Status)
			require.False(t, a.Start.IsZero())
		})
	}
	f := newFixture(t).register(alice, bob)
	f.claim(bob)
	lost(f)
	a := f.run(machine.Operation{Kind: machine.ElectionCycle})
	require.Error(t, a.Err)
	require.False(t, a.MayHaveWritten, "a heartbeat does not write the leader record")

	f = newFixture(t)
	f.config.PreemptionGrace = time.Second
	weak := bob
	weak.Priority = 1
	f.register(alice, weak)
	f.claim(weak)
	lost(f)
	a = f.run(machine.Operation{Kind: machine.ElectionCycle})
	require.Error(t, a.Err)
	require.True(t, a.MayHaveWritten, "a preemption request may still arrive")
}

func TestHeartbeatListAndSettle(t *testing.T) {
	f := newFixture(t).register(alice, bob)
	leader := f.claim(bob)
	require.NoError(t, f.run(machine.Operation{Kind: machine.Heartbeat}).Err)
	a := f.run(machine.Operation{Kind: machine.List})
	require.NoError(t, a.Err)
	require.Len(t, a.Members, 2)
	require.Equal(t, uint64(2), a.Members[0].Heartbeats)
	require.Zero(t, a.Status)
	a = f.run(machine.Operation{Kind: machine.List, Token: leader.Token()})
	require.Equal(t, leader.Token(), a.Status.Term.Token, "the list of a leader includes the term record")
	require.Len(t, a.Members, 2)
	a = f.run(machine.Operation{Kind: machine.List, First: 1, Also: []string{"bob"}})
	require.NoError(t, a.Err)
	require.Len(t, a.Members, 2)
	require.Len(t, a.Ranked, 1)
	require.Equal(t, a.Members[0].ID, a.Ranked[0].ID)
	f.set(f.key("candidates", "bob"), "rubbish")
	for _, first := range []int{0, 9} {
		a = f.run(machine.Operation{Kind: machine.List, First: first})
		require.NoError(t, a.Err, "readable records are listed")
		require.Len(t, a.Members, 1)
	}
	f.before = once(memkv.CallRead, kv.CodeIOError)
	require.Error(t, f.run(machine.Operation{Kind: machine.List}).Err)

	a = f.run(machine.Operation{Kind: machine.Settle})
	require.NoError(t, a.Err)
	require.Equal(t, leader, a.Status.Leader)
	require.Equal(t, []any{"commit"}, f.events, "settling commits")
	f.set(f.key("leader"), "rubbish")
	require.ErrorIs(t, f.run(machine.Operation{Kind: machine.Settle}).Err, fdbelection.ErrInvalidState)
	f.transact(func(tr kv.Transaction) error {
		tr.Clear(f.key("config"))
		tr.Clear(f.key("leader"))
		return nil
	})
	require.ErrorIs(t, f.run(machine.Operation{Kind: machine.Settle}).Err, fdbelection.ErrNotInitialized)
	require.ErrorIs(t, f.run(machine.Operation{Kind: machine.Heartbeat}).Err, fdbelection.ErrNotInitialized)
}

func TestEvict(t *testing.T) {
	f := newFixture(t).register(alice, bob)
	a := f.run(machine.Operation{Kind: machine.List})
	changed := a.Members[0]
	changed.Heartbeats += 5
	a = f.run(machine.Operation{Kind: machine.Evict, Members: []election.Candidate{a.Members[1], changed}})
	require.NoError(t, a.Err)
	require.Equal(t, []string{"bob"}, a.Evicted)
}

func TestRunRejectsWatches(t *testing.T) {
	f := newFixture(t)
	require.Error(t, f.run(machine.Operation{Kind: machine.WatchTerm}).Err)
	require.Error(t, f.run(machine.Operation{Kind: machine.WatchRequest}).Err)
}

// Every operation ends with its context.
func TestEndedContext(t *testing.T) {
	f := newFixture(t).register(alice)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for kind := machine.Register; kind <= machine.Evict; kind++ {
		a := f.executor.Run(ctx, machine.Operation{Kind: kind, Me: alice, Token: election.Token{Term: 1, Identity: alice.Identity}, Request: election.Request{Identity: bob.Identity, Nonce: uuid.UUID{1}}}, nil)
		require.ErrorIs(t, a.Err, context.Canceled, "%s", kind)
		require.False(t, a.MayHaveWritten, "%s", kind)
	}
	_, a := f.executor.Arm(ctx, machine.Operation{Kind: machine.WatchTerm, Me: alice})
	require.ErrorIs(t, a.Err, context.Canceled)
}
