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

// TestArm: what a watch fires at, and what it does not, and that it comes with a
// reading.
func TestArm(t *testing.T) {
	b := newFixture(t).register(alice, bob)
	leader := b.claim(bob)
	arm := func(kind machine.Kind, known election.Token) kv.Watch {
		watch, a := b.executor.Arm(t.Context(), machine.Operation{Kind: kind, Me: alice, Known: known})
		require.NoError(t, a.Err)
		require.Equal(t, b.leader(), a.Status.Leader)
		require.Equal(t, known == election.Token{}, a.Candidate != nil)
		require.True(t, a.Start.Before(a.Seen))
		return watch
	}
	term, intents := arm(machine.WatchTerm, leader.Token()), arm(machine.WatchRequest, election.Token{})
	require.NoError(t, b.run(machine.Operation{Kind: machine.ElectionCycle, Me: bob, Token: leader.Token()}).Err)
	require.False(t, fired(term) || fired(intents), "renewals are silent")
	b.request(func(tr kv.Transaction) error { return b.election.RequestResign(tr, leader.Term, uuid.UUID{3}) })
	require.True(t, fired(intents))
	require.NoError(t, intents.Err())
	require.False(t, fired(term))
	b.claim(alice)
	require.True(t, fired(term))
}

// TestArmingFails: there is no watch then, and none is left behind.
func TestArmingFails(t *testing.T) {
	b := newFixture(t)
	for _, kind := range []machine.Kind{machine.WatchTerm, machine.WatchRequest} {
		watch, a := b.executor.Arm(t.Context(), machine.Operation{Kind: kind, Me: alice})
		require.Nil(t, watch)
		require.ErrorIs(t, a.Err, fdbelection.ErrNotInitialized)
		require.False(t, a.Start.IsZero())
	}
	b.register(alice)
	b.before = once(memkv.CallRead, kv.CodeIOError)
	watch, a := b.executor.Arm(t.Context(), machine.Operation{Kind: machine.WatchTerm, Me: alice})
	require.Nil(t, watch)
	require.Equal(t, kv.CodeIOError, kv.CodeOf(a.Err))
	require.Zero(t, b.db.Counters().Watches)

	b.before = once(memkv.CallRead, kv.CodeProcessBehind)
	watch, a = b.executor.Arm(t.Context(), machine.Operation{Kind: machine.WatchTerm, Me: alice})
	require.NoError(t, a.Err)
	require.Equal(t, int64(1), b.db.Counters().Watches, "that of the attempt that succeeded")
	b.claim(alice)
	require.True(t, fired(watch))
}
