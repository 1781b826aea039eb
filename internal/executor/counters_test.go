package executor_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/alloctest"
	"github.com/fdbelection/fdbelection/internal/executor"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// Retries and conflicts are counted, and nothing else is.
func TestCounters(t *testing.T) {
	f := newFixture(t)
	c := &executor.Counters{}
	f.executor.Counters = c
	f.register(alice)
	token := f.claim(alice).Token()
	cycle := machine.Operation{Kind: machine.ElectionCycle, Token: token}
	require.NoError(t, f.run(cycle).Err)
	require.Zero(t, c.Retries()+c.Conflicts())

	fail := func(kind memkv.CallKind, codes ...int) {
		f.before = func(call *memkv.Call) error {
			if call.Kind != kind || len(codes) == 0 {
				return nil
			}
			code := codes[0]
			codes = codes[1:]
			return kv.Error{Code: code}
		}
	}
	fail(memkv.CallCommit, kv.CodeNotCommitted, kv.CodeCommitUnknownResult, kv.CodeNotCommitted)
	a := f.run(cycle)
	require.NoError(t, a.Err)
	require.Equal(t, election.Renewed, a.Action)
	require.Equal(t, uint64(3), c.Retries())
	require.Equal(t, uint64(2), c.Conflicts())

	fail(memkv.CallCommit, kv.CodeNotCommitted)
	require.NoError(t, f.run(machine.Operation{Kind: machine.Heartbeat}).Err)
	require.Equal(t, uint64(4), c.Retries())
	require.Equal(t, uint64(2), c.Conflicts(), "a heartbeat is not a cycle")

	fail(memkv.CallRead, kv.CodeTransactionTooOld)
	require.NoError(t, f.run(machine.Operation{Kind: machine.ReadLeader}).Err)
	require.Equal(t, uint64(5), c.Retries())
}

// A cycle allocates as much with counters as without.
func TestCountersAllocateNothing(t *testing.T) {
	const cycles = 200
	measure := func(c *executor.Counters) float64 {
		f := newFixture(t)
		f.executor.Counters = c
		f.register(alice)
		op := machine.Operation{ID: 7, Kind: machine.ElectionCycle, Token: f.claim(alice).Token(), Me: alice}
		return alloctest.Least(cycles, func() {
			f.events = f.events[:0]
			if err := f.executor.Run(f.Context(), op, func(machine.Event) {}).Err; err != nil {
				panic(err)
			}
		})
	}
	require.InDelta(t, measure(nil), measure(&executor.Counters{}), 0)
}
