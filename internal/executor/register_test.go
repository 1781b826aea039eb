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
func (b *fixture) history() (kinds []election.EventKind, newest election.Event) {
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
func (b *fixture) candidate(id string) (c election.Candidate) {
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
	b := newFixture(t).register(alice, bob)
	leader := b.claim(bob)
	younger := alice
	younger.Incarnation = uuid.UUID{9}
	register := machine.Operation{Kind: machine.Register, Me: younger, Config: b.config}

	a := b.run(register)
	require.NoError(t, a.Err)
	require.Equal(t, b.candidate("alice"), a.Existing.Candidate)
	require.Equal(t, leader, a.Existing.Leader)
	require.Equal(t, leader, a.Status.Leader)
	require.Equal(t, b.config.LeaseDuration, a.Status.Config.LeaseDuration)
	require.Equal(t, "bob", a.Candidate.ID, "the leader's tags are read as with any look")
	require.False(t, a.MayHaveWritten, "nothing is left behind")
	require.True(t, a.Start.Before(a.Seen))
	require.Equal(t, alice.Identity, b.candidate("alice").Identity)

	register.Existing = a.Existing
	a = b.run(register)
	require.NoError(t, a.Err)
	require.Equal(t, register.Existing, a.Existing, "it stands, and may not be replaced yet")

	register.TakeOver = true
	a = b.run(register)
	require.NoError(t, a.Err)
	require.Nil(t, a.Existing)
	require.True(t, a.MayHaveWritten)
	require.Equal(t, younger.Identity, b.candidate("alice").Identity)
}

// An incumbent that moves is alive: the newcomer stops, names it, and leaves a note in
// the history.
func TestRegisterBesideALiveIncumbent(t *testing.T) {
	for _, takeOver := range []bool{false, true} {
		b := newFixture(t).register(alice, bob)
		leader := b.claim(bob)
		younger := alice
		younger.Incarnation = uuid.UUID{9}
		register := machine.Operation{Kind: machine.Register, Me: younger, TakeOver: takeOver}
		register.Existing = b.run(machine.Operation{Kind: machine.Register, Me: younger}).Existing
		b.transact(func(tr kv.Transaction) error { return b.election.HeartbeatCandidate(tr, alice, epoch) })
		b.after = once(memkv.CallCommit, kv.CodeCommitUnknownResult)
		a := b.run(register)
		require.ErrorIs(t, a.Err, fdbelection.ErrDuplicateID)
		require.ErrorContains(t, a.Err, alice.Identity.String()+" is alive, so "+younger.Identity.String()+" stops")
		require.False(t, a.MayHaveWritten)
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
	b := newFixture(t).register(alice, bob)
	b.claim(alice)
	younger := alice
	younger.Incarnation = uuid.UUID{9}
	register := machine.Operation{Kind: machine.Register, Me: younger}
	register.Existing = b.run(register).Existing
	require.True(t, register.Existing.Leader.HeldBy(alice.Identity))
	leader := b.claim(bob)
	a := b.run(register)
	require.NoError(t, a.Err)
	require.Equal(t, leader, a.Existing.Leader)

	register.Existing = a.Existing
	request := b.request(func(tr kv.Transaction) error {
		return b.election.RequestTransfer(tr, leader.Term, "alice", uuid.UUID{3})
	})
	require.NoError(t, b.run(machine.Operation{Kind: machine.HandOver, Me: bob, Token: leader.Token(), Request: request}).Err)
	require.True(t, b.leader().HeldBy(alice.Identity))
	require.NoError(t, b.run(register).Err)
}

// A leader record that cannot be read costs the note in the history, and not the
// refusal.
func TestRegisterBesideALiveIncumbentAndADamagedLeader(t *testing.T) {
	b := newFixture(t).register(alice, bob)
	b.claim(bob)
	younger := alice
	younger.Incarnation = uuid.UUID{9}
	register := machine.Operation{Kind: machine.Register, Me: younger}
	register.Existing = b.run(register).Existing
	b.transact(func(tr kv.Transaction) error { return b.election.HeartbeatCandidate(tr, alice, epoch) })
	key, err := b.election.Subspace().Pack(subspace.Tuple{subspace.String("leader")})
	require.NoError(t, err)
	b.transact(func(tr kv.Transaction) error { tr.Set(key, []byte("rubbish")); return nil })
	require.ErrorIs(t, b.run(register).Err, fdbelection.ErrDuplicateID)
}

// An event of a duplicate is not a tenure, and does not count as one.
func TestDuplicatesAreNoMissedTenures(t *testing.T) {
	b := newFixture(t).register(alice, bob)
	var last election.LeaderRecord
	for range 9 {
		last = b.claim(bob)
		b.transact(func(tr kv.Transaction) error {
			return b.election.RecordDuplicate(tr, bob.Identity, election.Identity{ID: "bob"}, epoch)
		})
		b.transact(func(tr kv.Transaction) error { return b.election.ResignLeadership(tr, last.Token(), epoch) })
	}
	a := b.run(machine.Operation{Kind: machine.ReadLeader, Known: election.Token{Term: 1}, LeaderKnown: true})
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
	a = b.run(machine.Operation{Kind: machine.ReadLeader, Known: election.Token{Term: 1}, LeaderKnown: true})
	require.Equal(t, last.Term, a.Status.Leader.Term)
	require.Len(t, a.Missed, 8, "the events of the present term are not among them")
}
