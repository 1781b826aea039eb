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
)

func fired(w kv.Watch) bool {
	select {
	case <-w.Done():
		return true
	default:
		return false
	}
}

// The watch of the term fires at a new tenure, and the watch of requests at a request. Renewals fire
// neither. Arm also returns the status.
func TestArm(t *testing.T) {
	f := newFixture(t).register(alice, bob)
	leader := f.claim(bob)
	arm := func(kind machine.Kind, known election.Token) kv.Watch {
		watch, a := f.executor.Arm(t.Context(), machine.Operation{Kind: kind, Me: alice, Known: known})
		require.NoError(t, a.Err)
		require.Equal(t, f.leader(), a.Status.Leader)
		require.Equal(t, known == election.Token{}, a.Candidate != nil)
		require.True(t, a.Start.Before(a.Seen))
		return watch
	}
	term, requests := arm(machine.WatchTerm, leader.Token()), arm(machine.WatchRequest, election.Token{})
	require.NoError(t, f.run(machine.Operation{Kind: machine.ElectionCycle, Me: bob, Token: leader.Token()}).Err)
	require.False(t, fired(term) || fired(requests), "a renewal fires no watch")
	f.request(func(tr kv.Transaction) error { return f.election.RequestResign(tr, leader.Term, uuid.UUID{3}) })
	require.True(t, fired(requests))
	require.NoError(t, requests.Err())
	require.False(t, fired(term))
	f.claim(alice)
	require.True(t, fired(term))
}

// The watch of the candidates fires at a change of any candidate, and at no other heartbeat. Arm
// also returns the candidates that can be read. A change of the metadata of the leader fires the
// watch of the term as well.
func TestArmCandidates(t *testing.T) {
	f := newFixture(t).register(alice, bob)
	leader := f.claim(bob)
	f.set(f.key("candidates", "carol"), "rubbish")
	arm := func(kind machine.Kind) (kv.Watch, machine.Answer) {
		watch, a := f.executor.Arm(t.Context(), machine.Operation{Kind: kind, Me: alice})
		require.NoError(t, a.Err)
		require.True(t, a.Start.Before(a.Seen))
		return watch, a
	}
	candidates, a := arm(machine.WatchCandidates)
	require.Len(t, a.Members, 2)
	term, _ := arm(machine.WatchTerm)
	require.NoError(t, f.run(machine.Operation{Kind: machine.ElectionCycle, Me: bob, Token: leader.Token()}).Err)
	require.NoError(t, f.run(machine.Operation{Kind: machine.Heartbeat, Me: alice}).Err)
	require.False(t, fired(candidates) || fired(term))
	changed := alice
	changed.Priority++
	require.NoError(t, f.run(machine.Operation{Kind: machine.Heartbeat, Me: changed}).Err)
	require.True(t, fired(candidates))
	require.False(t, fired(term))
	candidates, _ = arm(machine.WatchCandidates)
	changed = bob
	changed.Metadata = map[string]string{"addr": "1"}
	require.NoError(t, f.run(machine.Operation{Kind: machine.ElectionCycle, Me: changed, Token: leader.Token()}).Err)
	require.True(t, fired(candidates) && fired(term))
	_, a = arm(machine.WatchTerm)
	require.Equal(t, changed.Metadata, a.Candidate.Metadata)
}

// If Arm fails, it leaves no watch behind.
func TestArmFails(t *testing.T) {
	f := newFixture(t)
	for _, kind := range []machine.Kind{machine.WatchTerm, machine.WatchRequest} {
		watch, a := f.executor.Arm(t.Context(), machine.Operation{Kind: kind, Me: alice})
		require.Nil(t, watch)
		require.ErrorIs(t, a.Err, fdbelection.ErrNotInitialized)
		require.False(t, a.Start.IsZero())
	}
	f.register(alice)
	f.before = once(memkv.CallRead, kv.CodeIOError)
	watch, a := f.executor.Arm(t.Context(), machine.Operation{Kind: machine.WatchTerm, Me: alice})
	require.Nil(t, watch)
	require.Equal(t, kv.CodeIOError, kv.CodeOf(a.Err))
	require.Zero(t, f.db.Counters().Watches)

	f.before = once(memkv.CallRead, kv.CodeProcessBehind)
	watch, a = f.executor.Arm(t.Context(), machine.Operation{Kind: machine.WatchTerm, Me: alice})
	require.NoError(t, a.Err)
	require.Equal(t, int64(1), f.db.Counters().Watches, "the watch of the attempt that succeeded")
	f.claim(alice)
	require.True(t, fired(watch))
}
