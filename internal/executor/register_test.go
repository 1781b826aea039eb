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
func (f *fixture) history() (kinds []election.EventKind, newest election.Event) {
	f.Helper()
	f.transact(func(tr kv.Transaction) error {
		events, err := f.election.History(tr, 0)
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
func (f *fixture) candidate(id string) (c election.Candidate) {
	f.Helper()
	f.transact(func(tr kv.Transaction) (err error) {
		c, err = f.election.GetCandidate(tr, id)
		return err
	})
	return c
}

// A process does not register while another incarnation has its id. It gets the existing candidate
// and the leader record, until it has watched the candidate for long enough.
func TestRegisterWithAnExistingCandidate(t *testing.T) {
	f := newFixture(t).register(alice, bob)
	leader := f.claim(bob)
	newer := alice
	newer.Incarnation = uuid.UUID{9}
	register := machine.Operation{Kind: machine.Register, Me: newer, Config: f.config}

	a := f.run(register)
	require.NoError(t, a.Err)
	require.Equal(t, f.candidate("alice"), a.Existing.Candidate)
	require.Equal(t, leader, a.Existing.Leader)
	require.Equal(t, leader, a.Status.Leader)
	require.Equal(t, f.config.LeaseDuration, a.Status.Config.LeaseDuration)
	require.Equal(t, "bob", a.Candidate.ID, "the candidate record of the leader")
	require.False(t, a.MayHaveWritten, "nothing was written")
	require.True(t, a.Start.Before(a.Seen))
	require.Equal(t, alice.Identity, f.candidate("alice").Identity)

	register.Existing = a.Existing
	a = f.run(register)
	require.NoError(t, a.Err)
	require.Equal(t, register.Existing, a.Existing, "it is unchanged and may not be replaced yet")

	register.TakeOver = true
	a = f.run(register)
	require.NoError(t, a.Err)
	require.Nil(t, a.Existing)
	require.True(t, a.MayHaveWritten)
	require.Equal(t, newer.Identity, f.candidate("alice").Identity)
}

// If the record of an existing candidate has changed once, the new process goes on waiting. If it
// changes again, the new process gets ErrDuplicateID, and the history gets an event.
func TestRegisterWithALiveExistingCandidate(t *testing.T) {
	for _, takeOver := range []bool{false, true} {
		f := newFixture(t).register(alice, bob)
		leader := f.claim(bob)
		newer := alice
		newer.Incarnation = uuid.UUID{9}
		register := machine.Operation{Kind: machine.Register, Me: newer, TakeOver: takeOver}
		register.Existing = f.run(machine.Operation{Kind: machine.Register, Me: newer}).Existing
		f.transact(func(tr kv.Transaction) error { return f.election.HeartbeatCandidate(tr, alice, epoch) })
		a := f.run(register)
		require.NoError(t, a.Err)
		require.Equal(t, f.candidate("alice"), a.Existing.Candidate)
		require.False(t, a.MayHaveWritten)
		kinds, _ := f.history()
		require.Equal(t, []election.EventKind{election.EventBegan}, kinds)

		register.Existing, register.ExistingChanged = a.Existing, true
		f.transact(func(tr kv.Transaction) error { return f.election.HeartbeatCandidate(tr, alice, epoch) })
		f.after = once(memkv.CallCommit, kv.CodeCommitUnknownResult)
		a = f.run(register)
		require.ErrorIs(t, a.Err, fdbelection.ErrDuplicateID)
		require.ErrorContains(t, a.Err, alice.Identity.String()+" is alive, so "+newer.Identity.String()+" stops")
		require.False(t, a.MayHaveWritten)
		require.Equal(t, alice.Identity, f.candidate("alice").Identity)
		kinds, event := f.history()
		require.Equal(t, []election.EventKind{election.EventDuplicate, election.EventBegan}, kinds)
		require.Equal(t, alice.Identity, event.From)
		require.Equal(t, newer.Identity, event.To)
		require.Equal(t, leader.Term, event.Term)
	}
}

// An existing candidate counts as unchanged if it loses leadership, or if leadership is handed over to
// it.
func TestRegisterWithAnExistingCandidateThatLostLeadership(t *testing.T) {
	f := newFixture(t).register(alice, bob)
	f.claim(alice)
	newer := alice
	newer.Incarnation = uuid.UUID{9}
	register := machine.Operation{Kind: machine.Register, Me: newer}
	register.Existing = f.run(register).Existing
	require.True(t, register.Existing.Leader.HeldBy(alice.Identity))
	leader := f.claim(bob)
	a := f.run(register)
	require.NoError(t, a.Err)
	require.Equal(t, leader, a.Existing.Leader)

	register.Existing = a.Existing
	request := f.request(func(tr kv.Transaction) error {
		return f.election.RequestTransfer(tr, leader.Term, "alice", uuid.UUID{3})
	})
	require.NoError(t, f.run(machine.Operation{Kind: machine.HandOver, Me: bob, Token: leader.Token(), Request: request}).Err)
	require.True(t, f.leader().HeldBy(alice.Identity))
	require.NoError(t, f.run(register).Err)
}

// With a damaged leader record there is no event in the history. The registration is still refused.
func TestRegisterWithALiveExistingCandidateAndADamagedLeader(t *testing.T) {
	f := newFixture(t).register(alice, bob)
	f.claim(bob)
	newer := alice
	newer.Incarnation = uuid.UUID{9}
	register := machine.Operation{Kind: machine.Register, Me: newer}
	register.Existing, register.ExistingChanged = f.run(register).Existing, true
	f.transact(func(tr kv.Transaction) error { return f.election.HeartbeatCandidate(tr, alice, epoch) })
	key, err := f.election.Subspace().Pack(subspace.Tuple{subspace.String("leader")})
	require.NoError(t, err)
	f.transact(func(tr kv.Transaction) error { tr.Set(key, []byte("rubbish")); return nil })
	require.ErrorIs(t, f.run(register).Err, fdbelection.ErrDuplicateID)
}

// An event of a duplicate id does not count as a tenure.
func TestDuplicatesAreNotMissedTenures(t *testing.T) {
	f := newFixture(t).register(alice, bob)
	var last election.LeaderRecord
	for range 9 {
		last = f.claim(bob)
		f.transact(func(tr kv.Transaction) error {
			return f.election.RecordDuplicate(tr, bob.Identity, election.Identity{ID: "bob"}, epoch)
		})
		f.transact(func(tr kv.Transaction) error { return f.election.ResignLeadership(tr, last.Token(), epoch) })
	}
	a := f.run(machine.Operation{Kind: machine.ReadLeader, Known: election.Token{Term: 1}, LeaderKnown: true})
	require.NoError(t, a.Err)
	var terms []uint64
	for _, missed := range a.Missed {
		require.Equal(t, bob.Identity, missed.Identity)
		terms = append(terms, missed.Term)
	}
	require.Equal(t, []uint64{2, 3, 4, 5, 6, 7, 8, 9}, terms)

	last = f.claim(bob)
	f.transact(func(tr kv.Transaction) error {
		return f.election.RecordDuplicate(tr, bob.Identity, election.Identity{ID: "bob"}, epoch)
	})
	a = f.run(machine.Operation{Kind: machine.ReadLeader, Known: election.Token{Term: 1}, LeaderKnown: true})
	require.Equal(t, last.Term, a.Status.Leader.Term)
	require.Len(t, a.Missed, 8, "without the events of the present term")
}
