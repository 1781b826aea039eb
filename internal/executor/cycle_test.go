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

func TestACycleThatClaims(t *testing.T) {
	b := newFixture(t).register(alice)
	a := b.run(machine.Operation{Kind: machine.ElectionCycle})
	require.NoError(t, a.Err)
	require.Equal(t, election.Claimed, a.Action)
	require.Equal(t, b.leader(), a.Status.Leader)
	require.True(t, a.Status.Leader.HeldBy(alice.Identity))
	require.Equal(t, uint64(1), a.Status.Config.Revision)
	require.True(t, a.Start.Before(a.Seen))
	require.Nil(t, a.Candidate, "it is the own one")
	require.Equal(t, []any{"commit"}, b.events, "nobody believes in anything before it is acknowledged")
}

func TestACycleThatFollows(t *testing.T) {
	b := newFixture(t).register(alice, bob)
	leader := b.claim(bob)
	a := b.run(machine.Operation{Kind: machine.ElectionCycle})
	require.NoError(t, a.Err)
	require.Equal(t, election.Followed, a.Action)
	require.Equal(t, leader, a.Status.Leader)
	require.Equal(t, "bob", a.Candidate.ID)

	b.transact(func(tr kv.Transaction) error { return b.election.ResignLeadership(tr, leader.Token(), epoch) })
	a = b.run(machine.Operation{Kind: machine.ElectionCycle, Abstain: true})
	require.Equal(t, election.Followed, a.Action, "and claims nothing while it abstains")

	b.transact(func(tr kv.Transaction) error {
		return b.election.UnregisterCandidate(tr, alice.Identity, epoch)
	})
	require.ErrorIs(t, b.run(machine.Operation{Kind: machine.ElectionCycle}).Err, fdbelection.ErrUnregisteredCandidate)
}

// TestACycleThatMustNotPreempt follows a leader of a lower priority.
func TestACycleThatMustNotPreempt(t *testing.T) {
	b := newFixture(t)
	b.config.PreemptionGrace, b.config.MinimumTenure = 0, 0
	b.register(alice, bob)
	b.claim(bob)
	strong := alice
	strong.Priority = 9
	a := b.run(machine.Operation{Kind: machine.ElectionCycle, Me: strong, NoPreempt: true})
	require.NoError(t, a.Err)
	require.Equal(t, election.Followed, a.Action)
	a = b.run(machine.Operation{Kind: machine.ElectionCycle, Me: strong})
	require.Equal(t, election.Claimed, a.Action)
}

// TestACycleTakesOverByItsObservation, and claims its own seat anew where its
// tenure has ended.
func TestACycleTakesOverByItsObservation(t *testing.T) {
	b := newFixture(t).register(alice, bob)
	leader := b.claim(bob)
	seen := election.Observation{}.Next(leader, epoch)
	b.ticks = leader.LeaseDuration - 2*time.Millisecond
	a := b.run(machine.Operation{Kind: machine.ElectionCycle, Observation: seen})
	require.Equal(t, election.Followed, a.Action)
	b.ticks = leader.LeaseDuration - time.Millisecond
	a = b.run(machine.Operation{Kind: machine.ElectionCycle, Observation: seen})
	require.Equal(t, election.Claimed, a.Action, "to the millisecond")
	require.Equal(t, election.AcquireExpiry, a.Status.Leader.AcquireReason)

	a = b.run(machine.Operation{Kind: machine.ElectionCycle, EndedTerm: 2})
	require.Equal(t, election.Claimed, a.Action)
	require.Equal(t, uint64(3), a.Status.Leader.Term)
	require.Equal(t, election.AcquireReclaim, a.Status.Leader.AcquireReason)
}

// TestARenewalIsToldBeforeItsCommit, each attempt, with what it is about to write.
func TestARenewalIsToldBeforeItsCommit(t *testing.T) {
	for _, c := range []struct {
		name   string
		fail   func(*fixture)
		events []any // Issuing as its attempt, commits, and outcomes
		failed bool
	}{
		{"acknowledged", func(*fixture) {}, []any{1, "commit", kv.Committed}, false},
		{"a conflict", func(b *fixture) {
			b.before = func(call *memkv.Call) error {
				if call.Kind == memkv.CallCommit && len(b.events) == 2 {
					b.set(b.key("config"), string(b.read("config"))) // touched, and not changed
				}
				return nil
			}
		}, []any{1, "commit", kv.NotCommitted, 2, "commit", kv.Committed}, false},
		{"a lost acknowledgement", func(b *fixture) {
			b.after = once(memkv.CallCommit, kv.CodeCommitUnknownResult)
		}, []any{1, "commit", kv.UnknownResult, 2, "commit", kv.Committed}, false},
		{"no answer", func(b *fixture) {
			b.after = once(memkv.CallCommit, kv.CodeTransactionTimedOut)
		}, []any{1, "commit", kv.Unsettled}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newFixture(t).register(alice)
			leader := b.claim(alice)
			c.fail(b)
			a := b.run(machine.Operation{Kind: machine.ElectionCycle, Token: leader.Token(), Abstain: true})
			require.Equal(t, c.failed, a.Err != nil)
			require.Equal(t, c.failed, a.MayHaveWritten)
			var got []any
			var start time.Time
			for _, event := range b.events {
				switch e := event.(type) {
				case machine.CommitStarting:
					require.Equal(t, uint64(7), e.Op)
					require.Equal(t, leader.LeaseDuration, e.Lease)
					require.Equal(t, b.config.HeartbeatInterval, e.Config.HeartbeatInterval)
					require.True(t, e.Start.After(start), "read afresh in each attempt")
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
				require.Equal(t, b.leader(), a.Status.Leader)
			}
		})
	}
}

func (b *fixture) read(names ...string) (value []byte) {
	b.Helper()
	b.transact(func(tr kv.Transaction) (err error) {
		value, err = tr.Get(b.key(names...)).Get()
		return err
	})
	return value
}

// TestALeaseIsToldAsItIsWritten: by the config that stands, not by the one before.
func TestALeaseIsToldAsItIsWritten(t *testing.T) {
	b := newFixture(t).register(alice)
	leader := b.claim(alice)
	config := b.config
	config.LeaseDuration, config.HeartbeatInterval = 4*time.Second, time.Second
	b.transact(func(tr kv.Transaction) error {
		_, err := b.election.WriteConfig(tr, config)
		return err
	})
	a := b.run(machine.Operation{Kind: machine.ElectionCycle, Token: leader.Token()})
	require.NoError(t, a.Err)
	issuing := b.events[0].(machine.CommitStarting)
	require.Equal(t, 4*time.Second, issuing.Lease)
	require.Equal(t, uint64(2), issuing.Config.Revision)
	require.Equal(t, uint64(2), a.Status.Config.Revision)
}

// TestASeatThatIsLost: the attempt writes nothing, and tells whose it is.
func TestASeatThatIsLost(t *testing.T) {
	b := newFixture(t).register(alice, bob)
	lost := b.claim(alice).Token()
	leader := b.claim(bob)
	a := b.run(machine.Operation{Kind: machine.ElectionCycle, Token: lost, Known: lost, LeaderKnown: true, Abstain: true})
	require.ErrorIs(t, a.Err, machine.ErrLeadershipLost)
	require.Equal(t, leader, a.Status.Leader)
	require.Equal(t, "bob", a.Candidate.ID)
	require.False(t, a.Start.IsZero() || a.Seen.IsZero() || a.MayHaveWritten)
	require.Empty(t, b.events)

	repeated := lost
	repeated.Term = leader.Term
	require.ErrorIs(t, b.run(machine.Operation{Kind: machine.ElectionCycle, Token: repeated, Abstain: true}).Err,
		machine.ErrLeadershipLost, "a term that a restored database has given to somebody else")

	b.claim(alice)
	a = b.run(machine.Operation{Kind: machine.ElectionCycle, Token: lost, Known: lost, LeaderKnown: true, Abstain: true})
	require.ErrorIs(t, a.Err, machine.ErrLeadershipLost, "an own tenure, but another one")
	require.Len(t, a.Missed, 1)
}

// TestWhatIsAskedOfTheLeader comes with its renewal, and whether it can be
// granted.
func TestWhatIsAskedOfTheLeader(t *testing.T) {
	for name, c := range map[string]struct {
		ask     func(b *fixture, tr kv.Transaction) error
		granted bool
	}{
		"nothing": {func(*fixture, kv.Transaction) error { return nil }, false},
		"to resign": {func(b *fixture, tr kv.Transaction) error {
			return b.election.RequestResign(tr, 1, uuid.UUID{3})
		}, true},
		"to transfer": {func(b *fixture, tr kv.Transaction) error {
			return b.election.RequestTransfer(tr, 1, "bob", uuid.UUID{3})
		}, true},
		"to transfer to somebody who is gone": {func(b *fixture, tr kv.Transaction) error {
			if err := b.election.RequestTransfer(tr, 1, "bob", uuid.UUID{3}); err != nil {
				return err
			}
			tr.Clear(b.key("candidates", "bob"))
			return nil
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newFixture(t).register(alice, bob)
			token := b.claim(alice).Token()
			request := b.request(func(tr kv.Transaction) error { return c.ask(b, tr) })
			a := b.run(machine.Operation{Kind: machine.ElectionCycle, Token: token, Known: token, LeaderKnown: true})
			require.NoError(t, a.Err)
			require.Equal(t, request, a.Status.Request)
			require.Equal(t, c.granted, a.CanHandOver)
		})
	}
	b := newFixture(t).register(alice, bob)
	token := b.claim(alice).Token()
	b.request(func(tr kv.Transaction) error { return b.election.RequestTransfer(tr, 1, "bob", uuid.UUID{3}) })
	b.set(b.key("candidates", "bob"), "rubbish")
	a := b.run(machine.Operation{Kind: machine.ElectionCycle, Token: token, Known: token, LeaderKnown: true})
	require.NoError(t, a.Err, "a target whose record cannot be read costs the transfer, and not the leader")
	require.False(t, a.CanHandOver)
}

// TestAChallengeIsJudgedByObservation: whether the tenure has lasted long enough is
// what the holder has seen of it, and no wall clock, when it is granted and when
// the seat is handed over.
func TestAChallengeIsJudgedByObservation(t *testing.T) {
	for _, c := range []struct {
		minimum, age time.Duration // by the wall clock it is an hour
		granted      bool
	}{{30 * time.Minute, time.Minute, false}, {2 * time.Hour, 3 * time.Hour, true}} {
		b := newFixture(t)
		b.config.MinimumTenure, b.config.PreemptionGrace = c.minimum, time.Second
		higher := bob
		higher.Priority = 9
		b.register(alice, higher)
		leader := b.claim(alice)
		seen := func(age time.Duration) election.Observation {
			return election.Observation{}.Next(leader, epoch.Add(-age))
		}
		request := b.request(func(tr kv.Transaction) error {
			long := seen(5 * time.Hour)
			long.BallotSince = epoch
			_, err := b.election.RunElectionCycle(tr, higher, epoch, election.WithObservation(long, epoch))
			return err
		})
		require.Equal(t, election.PreemptionRequest, request.Kind)
		a := b.run(machine.Operation{Kind: machine.ElectionCycle, Token: leader.Token(), Known: leader.Token(), LeaderKnown: true, Observation: seen(c.age)})
		require.NoError(t, a.Err)
		require.Equal(t, c.granted, a.CanHandOver)
		a = b.run(machine.Operation{Kind: machine.HandOver, Token: leader.Token(), Request: request, Observation: seen(c.age)})
		require.NoError(t, a.Err)
		require.Equal(t, c.granted, a.Status.Leader.HeldBy(higher.Identity))
	}
}

// TestADisabledElection: the heartbeat is written, and nothing is renewed.
func TestADisabledElection(t *testing.T) {
	b := newFixture(t).register(alice)
	leader := b.claim(alice)
	b.config.ElectionEnabled = false
	b.transact(func(tr kv.Transaction) error {
		_, err := b.election.WriteConfig(tr, b.config)
		return err
	})
	a := b.run(machine.Operation{Kind: machine.ElectionCycle, Token: leader.Token(), Abstain: true})
	require.NoError(t, a.Err)
	require.Equal(t, election.Draining, a.Action)
	require.Equal(t, []any{"commit"}, b.events)
	require.Equal(t, leader, b.leader())
	b.after = once(memkv.CallCommit, kv.CodeTransactionTimedOut)
	a = b.run(machine.Operation{Kind: machine.ElectionCycle, Token: leader.Token(), Abstain: true})
	require.Error(t, a.Err)
	require.False(t, a.MayHaveWritten)
}

// TestGivingUp: each way, and again after it was done.
func TestGivingUp(t *testing.T) {
	b := newFixture(t).register(alice, bob)
	leader := b.claim(alice)
	for range 2 {
		a := b.run(machine.Operation{Kind: machine.Resign, Token: leader.Token()})
		require.NoError(t, a.Err)
		require.Equal(t, b.leader(), a.Status.Leader)
		require.True(t, a.Status.Leader.Vacant())
		require.Equal(t, leader.Ballot+1, a.Status.Leader.Ballot)
		require.False(t, a.Start.IsZero() || a.Seen.IsZero())
	}

	leader = b.claim(alice)
	request := b.request(func(tr kv.Transaction) error {
		return b.election.RequestTransfer(tr, leader.Term, "bob", uuid.UUID{3})
	})
	for range 2 {
		a := b.run(machine.Operation{Kind: machine.HandOver, Token: leader.Token(), Request: request})
		require.NoError(t, a.Err)
		require.Equal(t, b.leader(), a.Status.Leader)
		require.True(t, a.Status.Leader.HeldBy(bob.Identity) && !a.Status.Leader.Accepted)
	}
	b.claim(bob)
	a := b.run(machine.Operation{Kind: machine.HandOver, Token: leader.Token(), Request: election.Request{
		Kind: election.TransferRequest, Identity: bob.Identity, Nonce: uuid.UUID{4},
	}})
	require.ErrorIs(t, a.Err, fdbelection.ErrNotLeader)
	require.Zero(t, a.Status)

	leader = b.claim(alice)
	b.set(b.key("leader"), "rubbish")
	require.ErrorIs(t, b.run(machine.Operation{Kind: machine.Resign, Token: leader.Token()}).Err, fdbelection.ErrInvalidState)
}

// TestResigningWithoutAConfig still gives up the seat.
func TestResigningWithoutAConfig(t *testing.T) {
	b := newFixture(t).register(alice)
	leader := b.claim(alice)
	config := b.read("config")
	b.transact(func(tr kv.Transaction) error {
		tr.Clear(b.key("config"))
		return nil
	})
	a := b.run(machine.Operation{Kind: machine.Resign, Token: leader.Token()})
	require.NoError(t, a.Err)
	require.Zero(t, a.Status.Leader.Ballot, "it could not be read back")
	b.set(b.key("config"), string(config))
	require.True(t, b.leader().Vacant())
}

func TestUnregister(t *testing.T) {
	b := newFixture(t).register(alice)
	leader := b.claim(alice)
	for range 2 {
		a := b.run(machine.Operation{Kind: machine.Unregister})
		require.NoError(t, a.Err)
		require.True(t, a.Status.Leader.Vacant())
		require.Equal(t, leader.Ballot+1, a.Status.Leader.Ballot)
		require.Equal(t, []any{"commit"}, b.events, "one that conflicts with whatever is on its way")
	}
	require.Empty(t, b.run(machine.Operation{Kind: machine.List}).Members)
	b.transact(func(tr kv.Transaction) error {
		tr.Clear(b.key("config"))
		return nil
	})
	a := b.run(machine.Operation{Kind: machine.Unregister})
	require.NoError(t, a.Err)
	require.Zero(t, a.Status.Leader.Ballot)
	b.set(b.key("leader"), "rubbish")
	require.NoError(t, b.run(machine.Operation{Kind: machine.Unregister}).Err, "leaving does not depend on it")
}

// TestWhoCameLast: what was asked of the leader while its work came to its end is
// obeyed in place of what it ended for, else it would keep the seat, and whoever
// asked last would have to begin anew.
func TestWhoCameLast(t *testing.T) {
	carol := election.Registration{Identity: election.Identity{ID: "carol", Incarnation: uuid.UUID{3}}, Priority: 9}
	higher := bob
	higher.Priority = 7
	setup := func() (*fixture, election.LeaderRecord, func(me election.Registration) election.Request) {
		b := newFixture(t)
		b.config.PreemptionGrace = time.Second
		b.register(alice, higher, carol)
		token := b.claim(alice)
		return b, token, func(me election.Registration) election.Request {
			return b.request(func(tr kv.Transaction) error {
				_, err := b.election.RunElectionCycle(tr, me, epoch, election.WithObservation(election.Observation{}, epoch))
				return err
			})
		}
	}
	b, leader, challenge := setup()
	first := challenge(higher)
	last := challenge(carol)
	require.NotEqual(t, first, last)
	a := b.run(machine.Operation{Kind: machine.HandOver, Token: leader.Token(), Request: first})
	require.NoError(t, a.Err)
	require.True(t, a.Status.Leader.HeldBy(carol.Identity), "%s", a.Status.Leader)
	require.Equal(t, last.Nonce, a.Status.Leader.Nonce)

	b, leader, challenge = setup()
	first = challenge(higher)
	b.request(func(tr kv.Transaction) error { return b.election.RequestResign(tr, leader.Term, uuid.UUID{9}) })
	a = b.run(machine.Operation{Kind: machine.HandOver, Token: leader.Token(), Request: first})
	require.NoError(t, a.Err)
	require.True(t, a.Status.Leader.Vacant(), "%s", a.Status.Leader)
}
