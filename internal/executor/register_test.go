package executor_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// history returns the kinds of the events, newest first, and the newest one.
func (b *bench) history() (kinds []election.EventKind, newest election.Event) {
	b.Helper()
	b.transact(func(tr kv.Transaction) error {
		events, err := b.election.History(tr, 0)
		for _, e := range events {
			kinds = append(kinds, e.Kind)
		}
		if len(events) > 0 {
			newest = events[0]
		}
		return err
	})
	return kinds, newest
}

// candidate returns a candidate record.
func (b *bench) candidate(id string) (c election.Candidate) {
	b.Helper()
	b.transact(func(tr kv.Transaction) (err error) {
		c, err = b.election.GetCandidate(tr, id)
		return err
	})
	return c
}

// A newcomer enters nothing beside another incarnation of its id: it is told of it, and
// of the seat, until it has watched that one for long enough.
func TestRegisterBesideAnIncumbent(t *testing.T) {
	b := newBench(t).register(alice, bob)
	leader := b.claim(bob)
	younger := alice
	younger.Incarnation = uuid.UUID{9}
	register := machine.Operation{Kind: machine.Register, Me: younger, Config: b.config}

	a := b.run(register)
	require.NoError(t, a.Err)
	require.Equal(t, b.candidate("alice"), a.Incumbent.Candidate)
	require.Equal(t, leader, a.Incumbent.Leader)
	require.Equal(t, leader, a.State.Leader)
	require.Equal(t, b.config.LeaseDuration, a.State.Config.LeaseDuration)
	require.Equal(t, "bob", a.Candidate.ID, "the leader's tags are read as with any look")
	require.False(t, a.Touched, "nothing is left behind")
	require.True(t, a.Start.Before(a.Seen))
	require.Equal(t, alice.Identity, b.candidate("alice").Identity)

	register.Incumbent = a.Incumbent
	a = b.run(register)
	require.NoError(t, a.Err)
	require.Equal(t, register.Incumbent, a.Incumbent, "it stands, and may not be replaced yet")

	register.TakeOver = true
	a = b.run(register)
	require.NoError(t, a.Err)
	require.Nil(t, a.Incumbent)
	require.True(t, a.Touched)
	require.Equal(t, younger.Identity, b.candidate("alice").Identity)
}

// An incumbent that moves is alive: the newcomer stops, names it, and leaves a note in
// the history.
func TestRegisterBesideALiveIncumbent(t *testing.T) {
	for _, takeOver := range []bool{false, true} {
		b := newBench(t).register(alice, bob)
		leader := b.claim(bob)
		younger := alice
		younger.Incarnation = uuid.UUID{9}
		register := machine.Operation{Kind: machine.Register, Me: younger, TakeOver: takeOver}
		register.Incumbent = b.run(machine.Operation{Kind: machine.Register, Me: younger}).Incumbent
		b.transact(func(tr kv.Transaction) error { return b.election.HeartbeatCandidate(tr, alice, epoch) })
		b.after = once(memkv.CallCommit, kv.CodeCommitUnknownResult)
		a := b.run(register)
		require.ErrorIs(t, a.Err, fdbelection.ErrDuplicateID)
		require.ErrorContains(t, a.Err, alice.Identity.String()+" is alive, so "+younger.Identity.String()+" stops")
		require.False(t, a.Touched)
		require.Equal(t, alice.Identity, b.candidate("alice").Identity)
		kinds, event := b.history()
		require.Equal(t, []election.EventKind{election.EventDuplicate, election.EventBegan}, kinds)
		require.Equal(t, alice.Identity, event.From)
		require.Equal(t, younger.Identity, event.To)
		require.Equal(t, leader.Term, event.Term)
	}
}

// An incumbent whose seat another candidate has taken has not moved, nor has one to which
// the seat was handed over.
func TestRegisterBesideAnIncumbentThatLostTheSeat(t *testing.T) {
	b := newBench(t).register(alice, bob)
	b.claim(alice)
	younger := alice
	younger.Incarnation = uuid.UUID{9}
	register := machine.Operation{Kind: machine.Register, Me: younger}
	register.Incumbent = b.run(register).Incumbent
	require.True(t, register.Incumbent.Leader.HeldBy(alice.Identity))
	leader := b.claim(bob)
	a := b.run(register)
	require.NoError(t, a.Err)
	require.Equal(t, leader, a.Incumbent.Leader)

	register.Incumbent = a.Incumbent
	intent := b.request(func(tr kv.Transaction) error {
		return b.election.RequestTransfer(tr, leader.Term, "alice", uuid.UUID{3})
	})
	require.NoError(t, b.run(machine.Operation{Kind: machine.Yield, Me: bob, Token: leader.Token(), Intent: intent}).Err)
	require.True(t, b.seat().HeldBy(alice.Identity))
	require.NoError(t, b.run(register).Err)
}

// A leader record that cannot be read costs the note in the history, and not the
// refusal.
func TestRegisterBesideALiveIncumbentAndADamagedLeader(t *testing.T) {
	b := newBench(t).register(alice, bob)
	b.claim(bob)
	younger := alice
	younger.Incarnation = uuid.UUID{9}
	register := machine.Operation{Kind: machine.Register, Me: younger}
	register.Incumbent = b.run(register).Incumbent
	b.transact(func(tr kv.Transaction) error { return b.election.HeartbeatCandidate(tr, alice, epoch) })
	key, err := b.election.Subspace().Pack(subspace.Tuple{subspace.String("leader")})
	require.NoError(t, err)
	b.transact(func(tr kv.Transaction) error { tr.Set(key, []byte("rubbish")); return nil })
	require.ErrorIs(t, b.run(register).Err, fdbelection.ErrDuplicateID)
}

// An event of a duplicate is not a tenure, and does not count as one.
func TestDuplicatesAreNoMissedTenures(t *testing.T) {
	b := newBench(t).register(alice, bob)
	var last election.Leader
	for range 9 {
		last = b.claim(bob)
		b.transact(func(tr kv.Transaction) error {
			return b.election.RecordDuplicate(tr, bob.Identity, election.Identity{ID: "bob"}, epoch)
		})
		b.transact(func(tr kv.Transaction) error { return b.election.ResignLeadership(tr, last.Token(), epoch) })
	}
	a := b.run(machine.Operation{Kind: machine.Look, Known: election.Token{Term: 1}, Looked: true})
	require.NoError(t, a.Err)
	var terms []uint64
	for _, missed := range a.Missed {
		require.Equal(t, bob.Identity, missed.Identity)
		terms = append(terms, missed.Term)
	}
	require.Equal(t, []uint64{2, 3, 4, 5, 6, 7, 8, 9}, terms)

	last = b.claim(bob)
	b.transact(func(tr kv.Transaction) error {
		return b.election.RecordDuplicate(tr, bob.Identity, election.Identity{ID: "bob"}, epoch)
	})
	a = b.run(machine.Operation{Kind: machine.Look, Known: election.Token{Term: 1}, Looked: true})
	require.Equal(t, last.Term, a.State.Leader.Term)
	require.Len(t, a.Missed, 8, "the events of the present term are not among them")
}
