package executor_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/alloctest"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// Claims is set if an attempt of a cycle has decided to claim, whatever came of it.
func TestAnswersSayWhetherACycleClaims(t *testing.T) {
	setup := func() (*fixture, machine.Operation) {
		return newFixture(t).register(alice, bob), machine.Operation{Kind: machine.ElectionCycle}
	}
	f, cycle := setup()
	require.True(t, f.run(cycle).Claims, "it claims")
	cycle.Token = f.leader().Token()
	require.False(t, f.run(cycle).Claims, "a renewal")
	cycle.Token, cycle.Me = election.Token{}, bob
	require.False(t, f.run(cycle).Claims, "it follows")

	f, cycle = setup()
	cycle.Abstain = true
	require.False(t, f.run(cycle).Claims, "it abstains")
	f.transact(func(tr kv.Transaction) error {
		leader, err := f.election.RunElectionCycle(tr, bob, epoch)
		if err == nil {
			_, err = f.election.TransferLeadership(tr, leader.Leader.Token(), alice.ID, alice.Incarnation, epoch)
		}
		return err
	})
	require.True(t, f.run(cycle).Claims, "it accepts")

	f, cycle = setup()
	f.before = func(call *memkv.Call) error {
		if call.Kind == memkv.CallCommit {
			return kv.Error{Code: kv.CodeIOError}
		}
		return nil
	}
	a := f.run(cycle)
	require.Error(t, a.Err)
	require.True(t, a.Claims, "it cannot commit")
	f.before = func(*memkv.Call) error { return kv.Error{Code: kv.CodeIOError} }
	a = f.run(cycle)
	require.Error(t, a.Err)
	require.False(t, a.Claims, "it cannot read")

	f, cycle = setup()
	f.before = func(call *memkv.Call) error {
		if call.Kind == memkv.CallCommit {
			f.before = nil
			f.claim(bob)
		}
		return nil
	}
	a = f.run(cycle)
	require.NoError(t, a.Err)
	require.Equal(t, election.Followed, a.Action)
	require.True(t, a.Claims, "another process was faster")
}

// Only a preemption request asks for a trace context.
func TestTraceContextOfARequest(t *testing.T) {
	const text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	f := newFixture(t)
	f.config.PreemptionGrace = time.Second
	f.register(alice, bob)
	var terms []uint64
	f.executor.TraceParent = func(term uint64) string {
		terms = append(terms, term)
		return text
	}
	token := f.claim(alice).Token()
	require.NoError(t, f.run(machine.Operation{Kind: machine.ElectionCycle, Token: token}).Err)
	require.NoError(t, f.run(machine.Operation{Kind: machine.ElectionCycle, Me: bob}).Err)
	require.Empty(t, terms)

	higher := bob
	higher.Priority = 7
	a := f.run(machine.Operation{Kind: machine.ElectionCycle, Me: higher})
	require.Equal(t, election.RequestedPreemption, a.Action)
	require.True(t, a.Claims)
	require.Equal(t, []uint64{1}, terms)
	require.Equal(t, text, a.Status.Request.TraceParent)
}

// A renewal allocates as much with a tracer as without. Other cycles allocate for it, but not
// without a tracer.
func TestTraceContextAllocatesNothing(t *testing.T) {
	measure := func(me election.Registration, traceParent func(uint64) string) float64 {
		f := newFixture(t).register(alice, bob)
		f.executor.TraceParent = traceParent
		op := machine.Operation{ID: 7, Kind: machine.ElectionCycle, Me: me}
		if token := f.claim(alice).Token(); token.Identity == me.Identity {
			op.Token = token
		}
		return alloctest.Least(200, func() {
			f.events = f.events[:0]
			if err := f.executor.Run(f.Context(), op, func(machine.Event) {}).Err; err != nil {
				panic(err)
			}
		})
	}
	none := func(uint64) string { return "" }
	require.InDelta(t, measure(alice, nil), measure(alice, none), 0)
	require.Greater(t, measure(bob, none), measure(bob, nil))
}
