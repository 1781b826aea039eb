package executor_test

import (
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

func TestClaim(t *testing.T) {
	f := newFixture(t).register(alice)
	a := f.run(machine.Operation{Kind: machine.ElectionCycle})
	require.NoError(t, a.Err)
	require.Equal(t, election.Claimed, a.Action)
	require.Equal(t, f.leader(), a.Status.Leader)
	require.True(t, a.Status.Leader.HeldBy(alice.Identity))
	require.Equal(t, uint64(1), a.Status.Config.Revision)
	require.True(t, a.Start.Before(a.Seen))
	require.Nil(t, a.Candidate, "it is its own record")
	require.Equal(t, []any{"commit"}, f.events, "a claim notifies of nothing")
}

// The leader record may still name an earlier incarnation of this id. The record under the id is
// that of this process then. It cannot be read in the cycle that makes it ready.
func TestACycleThatMakesReadyAfterItsPredecessorLed(t *testing.T) {
	f := newFixture(t).register(alice)
	f.claim(alice)
	again := alice
	again.Incarnation, again.NotReady = uuid.New(), "cold"
	f.transact(func(tr kv.Transaction) error { return f.election.RegisterCandidate(tr, again, epoch) })
	again.NotReady = ""
	a := f.run(machine.Operation{Kind: machine.ElectionCycle, Me: again})
	require.NoError(t, a.Err)
	require.Equal(t, election.Followed, a.Action)
	require.Nil(t, a.Candidate)
	f.transact(func(tr kv.Transaction) error {
		c, err := f.election.GetCandidate(tr, alice.ID)
		require.True(t, c.Ready())
		return err
	})
}

func TestFollow(t *testing.T) {
	f := newFixture(t).register(alice, bob)
	leader := f.claim(bob)
	a := f.run(machine.Operation{Kind: machine.ElectionCycle})
	require.NoError(t, a.Err)
	require.Equal(t, election.Followed, a.Action)
	require.Equal(t, leader, a.Status.Leader)
	require.Equal(t, "bob", a.Candidate.ID)

	f.transact(func(tr kv.Transaction) error { return f.election.ResignLeadership(tr, leader.Token(), epoch) })
	a = f.run(machine.Operation{Kind: machine.ElectionCycle, Abstain: true})
	require.Equal(t, election.Followed, a.Action, "it claims nothing while it abstains")

	f.transact(func(tr kv.Transaction) error {
		return f.election.UnregisterCandidate(tr, alice.Identity, epoch)
	})
	require.ErrorIs(t, f.run(machine.Operation{Kind: machine.ElectionCycle}).Err, fdbelection.ErrUnregisteredCandidate)
}

// A cycle that must not preempt follows a leader of a lower priority.
func TestNoPreempt(t *testing.T) {
	f := newFixture(t)
	f.config.PreemptionGrace, f.config.MinimumTenure = 0, 0
	f.register(alice, bob)
	f.claim(bob)
	strong := alice
	strong.Priority = 9
	a := f.run(machine.Operation{Kind: machine.ElectionCycle, Me: strong, NoPreempt: true})
	require.NoError(t, a.Err)
	require.Equal(t, election.Followed, a.Action)
	a = f.run(machine.Operation{Kind: machine.ElectionCycle, Me: strong})
	require.Equal(t, election.Claimed, a.Action)
}

// A cycle takes over an expired lease by its observation. If its own tenure has ended, it reclaims.
func TestCycleUsesTheObservation(t *testing.T) {
	f := newFixture(t).register(alice, bob)
	leader := f.claim(bob)
	seen := election.Observation{}.Next(leader, epoch)
	f.ticks = leader.LeaseDuration - 2*time.Millisecond
	a := f.run(machine.Operation{Kind: machine.ElectionCycle, Observation: seen})
	require.Equal(t, election.Followed, a.Action)
	f.ticks = leader.LeaseDuration - time.Millisecond
	a = f.run(machine.Operation{Kind: machine.ElectionCycle, Observation: seen})
	require.Equal(t, election.Claimed, a.Action, "exactly after the lease")
	require.Equal(t, election.AcquireExpiry, a.Status.Leader.AcquireReason)

	a = f.run(machine.Operation{Kind: machine.ElectionCycle, EndedTerm: 2})
	require.Equal(t, election.Claimed, a.Action)
	require.Equal(t, uint64(3), a.Status.Leader.Term)
	require.Equal(t, election.AcquireReclaim, a.Status.Leader.AcquireReason)
}

// Each attempt of a renewal notifies of what it is about to write.
func TestRenewalNotifiesBeforeItsCommit(t *testing.T) {
	for _, c := range []struct {
		name   string
		fail   func(*fixture)
		events []any // attempts of CommitStarting, commits, and outcomes
		failed bool
	}{
		{"acknowledged", func(*fixture) {}, []any{1, "commit", kv.Committed}, false},
		{"a conflict", func(f *fixture) {
			f.before = func(call *memkv.Call) error {
				if call.Kind == memkv.CallCommit && len(f.events) == 2 {
					f.set(f.key("config"), string(f.read("config"))) // written without a change
				}
				return nil
			}
		}, []any{1, "commit", kv.NotCommitted, 2, "commit", kv.Committed}, false},
		{"a lost acknowledgement", func(f *fixture) {
			f.after = once(memkv.CallCommit, kv.CodeCommitUnknownResult)
		}, []any{1, "commit", kv.UnknownResult, 2, "commit", kv.Committed}, false},
		{"no answer", func(f *fixture) {
			f.after = once(memkv.CallCommit, kv.CodeTransactionTimedOut)
		}, []any{1, "commit", kv.Unsettled}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t).register(alice)
			leader := f.claim(alice)
			c.fail(f)
			a := f.run(machine.Operation{Kind: machine.ElectionCycle, Token: leader.Token(), Abstain: true})
			require.Equal(t, c.failed, a.Err != nil)
			require.Equal(t, c.failed, a.MayHaveWritten)
			var got []any
			var start time.Time
			for _, event := range f.events {
				switch e := event.(type) {
				case machine.CommitStarting:
					require.Equal(t, uint64(7), e.Op)
					require.Equal(t, leader.LeaseDuration, e.Lease)
					require.Equal(t, f.config.HeartbeatInterval, e.Config.HeartbeatInterval)
					require.True(t, e.Start.After(start), "each attempt has its own start")
					start = e.Start
					got = append(got, e.Attempt)
				case machine.CommitDone:
					require.Equal(t, uint64(7), e.Op)
					got = append(got, e.Outcome)
				default:
					got = append(got, e)
				}
			}
			require.Equal(t, c.events, got)
			if !c.failed {
				require.Equal(t, election.Renewed, a.Action)
				require.Equal(t, start, a.Start)
				require.Equal(t, f.leader(), a.Status.Leader)
			}
		})
	}
}

func (f *fixture) read(names ...string) (value []byte) {
	f.Helper()
	f.transact(func(tr kv.Transaction) (err error) {
		value, err = tr.Get(f.key(names...)).Get()
		return err
	})
	return value
}

// A renewal notifies of the lease of the stored config, not of the last known one.
func TestRenewalNotifiesOfTheNewLease(t *testing.T) {
	f := newFixture(t).register(alice)
	leader := f.claim(alice)
	config := f.config
	config.LeaseDuration, config.HeartbeatInterval = 4*time.Second, time.Second
	f.transact(func(tr kv.Transaction) error {
		_, err := f.election.WriteConfig(tr, config)
		return err
	})
	a := f.run(machine.Operation{Kind: machine.ElectionCycle, Token: leader.Token()})
	require.NoError(t, a.Err)
	issuing := f.events[0].(machine.CommitStarting)
	require.Equal(t, 4*time.Second, issuing.Lease)
	require.Equal(t, uint64(2), issuing.Config.Revision)
	require.Equal(t, uint64(2), a.Status.Config.Revision)
}

// If leadership is lost, the attempt writes nothing and the answer has the new leader.
func TestLostLeadership(t *testing.T) {
	f := newFixture(t).register(alice, bob)
	lost := f.claim(alice).Token()
	leader := f.claim(bob)
	a := f.run(machine.Operation{Kind: machine.ElectionCycle, Token: lost, Known: lost, LeaderKnown: true, Abstain: true})
	require.ErrorIs(t, a.Err, machine.ErrLeadershipLost)
	require.Equal(t, leader, a.Status.Leader)
	require.Equal(t, "bob", a.Candidate.ID)
	require.False(t, a.Start.IsZero() || a.Seen.IsZero() || a.MayHaveWritten)
	require.Empty(t, f.events)

	repeated := lost
	repeated.Term = leader.Term
	require.ErrorIs(t, f.run(machine.Operation{Kind: machine.ElectionCycle, Token: repeated, Abstain: true}).Err,
		machine.ErrLeadershipLost, "a restored database has given the term to another process")

	f.claim(alice)
	a = f.run(machine.Operation{Kind: machine.ElectionCycle, Token: lost, Known: lost, LeaderKnown: true, Abstain: true})
	require.ErrorIs(t, a.Err, machine.ErrLeadershipLost, "another tenure of the same process")
	require.Len(t, a.Missed, 1)
}

// A renewal reads the request and reports whether the leader can hand over.
func TestRenewalReadsTheRequest(t *testing.T) {
	for name, c := range map[string]struct {
		ask         func(f *fixture, tr kv.Transaction) error
		canHandOver bool
	}{
		"nothing": {func(*fixture, kv.Transaction) error { return nil }, false},
		"to resign": {func(f *fixture, tr kv.Transaction) error {
			return f.election.RequestResign(tr, 1, uuid.UUID{3})
		}, true},
		"to transfer": {func(f *fixture, tr kv.Transaction) error {
			return f.election.RequestTransfer(tr, 1, "bob", uuid.UUID{3})
		}, true},
		"to transfer to a candidate that is gone": {func(f *fixture, tr kv.Transaction) error {
			if err := f.election.RequestTransfer(tr, 1, "bob", uuid.UUID{3}); err != nil {
				return err
			}
			tr.Clear(f.key("candidates", "bob"))
			return nil
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t).register(alice, bob)
			token := f.claim(alice).Token()
			request := f.request(func(tr kv.Transaction) error { return c.ask(f, tr) })
			a := f.run(machine.Operation{Kind: machine.ElectionCycle, Token: token, Known: token, LeaderKnown: true})
			require.NoError(t, a.Err)
			require.Equal(t, request, a.Status.Request)
			require.Equal(t, c.canHandOver, a.CanHandOver)
		})
	}
	f := newFixture(t).register(alice, bob)
	token := f.claim(alice).Token()
	f.request(func(tr kv.Transaction) error { return f.election.RequestTransfer(tr, 1, "bob", uuid.UUID{3}) })
	f.set(f.key("candidates", "bob"), "rubbish")
	a := f.run(machine.Operation{Kind: machine.ElectionCycle, Token: token, Known: token, LeaderKnown: true})
	require.NoError(t, a.Err, "the damaged record of a target does not disturb the renewal")
	require.False(t, a.CanHandOver)
}

// The leader judges by its observation, and not by a wall clock, whether its tenure has lasted long
// enough for a preemption. The renewal does so, and the hand-over again.
func TestPreemptionRequestIsJudgedByObservation(t *testing.T) {
	for _, c := range []struct {
		minimum, age time.Duration // on the wall clock it is an hour
		canHandOver  bool
	}{{30 * time.Minute, time.Minute, false}, {2 * time.Hour, 3 * time.Hour, true}} {
		f := newFixture(t)
		f.config.MinimumTenure, f.config.PreemptionGrace = c.minimum, time.Second
		higher := bob
		higher.Priority = 9
		f.register(alice, higher)
		leader := f.claim(alice)
		seen := func(age time.Duration) election.Observation {
			return election.Observation{}.Next(leader, epoch.Add(-age))
		}
		request := f.request(func(tr kv.Transaction) error {
			long := seen(5 * time.Hour)
			long.BallotSince = epoch
			_, err := f.election.RunElectionCycle(tr, higher, epoch, election.WithObservation(long, epoch))
			return err
		})
		require.Equal(t, election.PreemptionRequest, request.Kind)
		a := f.run(machine.Operation{Kind: machine.ElectionCycle, Token: leader.Token(), Known: leader.Token(), LeaderKnown: true, Observation: seen(c.age)})
		require.NoError(t, a.Err)
		require.Equal(t, c.canHandOver, a.CanHandOver)
		a = f.run(machine.Operation{Kind: machine.HandOver, Token: leader.Token(), Request: request, Observation: seen(c.age)})
		require.NoError(t, a.Err)
		require.Equal(t, c.canHandOver, a.Status.Leader.HeldBy(higher.Identity))
	}
}

// In a disabled election a cycle writes the heartbeat and does not renew.
func TestDisabledElection(t *testing.T) {
	f := newFixture(t).register(alice)
	leader := f.claim(alice)
	f.config.ElectionEnabled = false
	f.transact(func(tr kv.Transaction) error {
		_, err := f.election.WriteConfig(tr, f.config)
		return err
	})
	a := f.run(machine.Operation{Kind: machine.ElectionCycle, Token: leader.Token(), Abstain: true})
	require.NoError(t, a.Err)
	require.Equal(t, election.Draining, a.Action)
	require.Equal(t, []any{"commit"}, f.events)
	require.Equal(t, leader, f.leader())
	f.after = once(memkv.CallCommit, kv.CodeTransactionTimedOut)
	a = f.run(machine.Operation{Kind: machine.ElectionCycle, Token: leader.Token(), Abstain: true})
	require.Error(t, a.Err)
	require.False(t, a.MayHaveWritten)
}

// Resign and HandOver can be repeated after they have committed.
func TestResignAndHandOver(t *testing.T) {
	f := newFixture(t).register(alice, bob)
	leader := f.claim(alice)
	for range 2 {
		a := f.run(machine.Operation{Kind: machine.Resign, Token: leader.Token()})
		require.NoError(t, a.Err)
		require.Equal(t, f.leader(), a.Status.Leader)
		require.True(t, a.Status.Leader.Vacant())
		require.Equal(t, leader.Ballot+1, a.Status.Leader.Ballot)
		require.False(t, a.Start.IsZero() || a.Seen.IsZero())
	}

	leader = f.claim(alice)
	request := f.request(func(tr kv.Transaction) error {
		return f.election.RequestTransfer(tr, leader.Term, "bob", uuid.UUID{3})
	})
	for range 2 {
		a := f.run(machine.Operation{Kind: machine.HandOver, Token: leader.Token(), Request: request})
		require.NoError(t, a.Err)
		require.Equal(t, f.leader(), a.Status.Leader)
		require.True(t, a.Status.Leader.HeldBy(bob.Identity) && !a.Status.Leader.Accepted)
	}
	f.claim(bob)
	a := f.run(machine.Operation{Kind: machine.HandOver, Token: leader.Token(), Request: election.Request{
		Kind: election.TransferRequest, Identity: bob.Identity, Nonce: uuid.UUID{4},
	}})
	require.ErrorIs(t, a.Err, fdbelection.ErrNotLeader)
	require.Zero(t, a.Status)

	leader = f.claim(alice)
	f.set(f.key("leader"), "rubbish")
	require.ErrorIs(t, f.run(machine.Operation{Kind: machine.Resign, Token: leader.Token()}).Err, fdbelection.ErrInvalidState)
}

// Resign works without a config.
func TestResignWithoutAConfig(t *testing.T) {
	f := newFixture(t).register(alice)
	leader := f.claim(alice)
	config := f.read("config")
	f.transact(func(tr kv.Transaction) error {
		tr.Clear(f.key("config"))
		return nil
	})
	a := f.run(machine.Operation{Kind: machine.Resign, Token: leader.Token()})
	require.NoError(t, a.Err)
	require.Zero(t, a.Status.Leader.Ballot, "the record cannot be read without a config")
	f.set(f.key("config"), string(config))
	require.True(t, f.leader().Vacant())
}

func TestUnregister(t *testing.T) {
	f := newFixture(t).register(alice)
	leader := f.claim(alice)
	for range 2 {
		a := f.run(machine.Operation{Kind: machine.Unregister})
		require.NoError(t, a.Err)
		require.True(t, a.Status.Leader.Vacant())
		require.Equal(t, leader.Ballot+1, a.Status.Leader.Ballot)
		require.Equal(t, []any{"commit"}, f.events, "the commit conflicts with every commit that may still arrive")
	}
	require.Empty(t, f.run(machine.Operation{Kind: machine.List}).Members)
	f.transact(func(tr kv.Transaction) error {
		tr.Clear(f.key("config"))
		return nil
	})
	a := f.run(machine.Operation{Kind: machine.Unregister})
	require.NoError(t, a.Err)
	require.Zero(t, a.Status.Leader.Ballot)
	f.set(f.key("leader"), "rubbish")
	require.NoError(t, f.run(machine.Operation{Kind: machine.Unregister}).Err, "unregistering does not need the leader record")
}

// A request that came while the work stopped replaces the one for which the work was stopped.
// Otherwise the leader would keep leadership, and the author would have to request again.
func TestHandOverActsOnTheNewestRequest(t *testing.T) {
	carol := election.Registration{Identity: election.Identity{ID: "carol", Incarnation: uuid.UUID{3}}, Priority: 9}
	higher := bob
	higher.Priority = 7
	setup := func() (*fixture, election.LeaderRecord, func(me election.Registration) election.Request) {
		f := newFixture(t)
		f.config.PreemptionGrace = time.Second
		f.register(alice, higher, carol)
		token := f.claim(alice)
		return f, token, func(me election.Registration) election.Request {
			return f.request(func(tr kv.Transaction) error {
				_, err := f.election.RunElectionCycle(tr, me, epoch, election.WithObservation(election.Observation{}, epoch))
				return err
			})
		}
	}
	f, leader, challenge := setup()
	first := challenge(higher)
	last := challenge(carol)
	require.NotEqual(t, first, last)
	a := f.run(machine.Operation{Kind: machine.HandOver, Token: leader.Token(), Request: first})
	require.NoError(t, a.Err)
	require.True(t, a.Status.Leader.HeldBy(carol.Identity), "%s", a.Status.Leader)
	require.Equal(t, last.Nonce, a.Status.Leader.Nonce)
	require.Equal(t, last, a.Status.Request, "the one that it met")

	f, leader, challenge = setup()
	first = challenge(higher)
	f.request(func(tr kv.Transaction) error { return f.election.RequestResign(tr, leader.Term, uuid.UUID{9}) })
	a = f.run(machine.Operation{Kind: machine.HandOver, Token: leader.Token(), Request: first})
	require.NoError(t, a.Err)
	require.True(t, a.Status.Leader.Vacant(), "%s", a.Status.Leader)
}
