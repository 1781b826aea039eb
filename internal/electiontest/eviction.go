package electiontest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

var evictionTests = []test{
	rule04EvictionComesAfterTheTimeoutAndSkipsTheHolder,
	rule12EvictionRemovesThePreemptionRequest,
	invariant22EvictionIsBounded,
}

func (e *testElection) evict(now float64) (evicted []string) {
	e.T.Helper()
	e.Do(func(tr kv.Transaction) (err error) {
		evicted, err = e.EvictDeadCandidates(tr, at(now))
		return err
	})
	return evicted
}

func rule04EvictionComesAfterTheTimeoutAndSkipsTheHolder(t *testing.T, e *testElection) {
	e.initialized()
	a, _ := e.leads("a", 1, at(0))
	e.join("b", 1, at(0))
	e.join("c", 1, at(1))
	require.Empty(t, e.evict(15), "they time out after 15 s, not at 15 s")
	require.Equal(t, []string{"b"}, e.evict(16))
	require.Equal(t, []string{"c"}, e.evict(100))
	require.True(t, e.leaderIs(a))
	require.Equal(t, []string{"a"}, e.ids())
	require.Equal(t, []string{"a"}, e.shortlist(9), "the rank entries are removed, too")
	restarted := e.join("a", 1, at(100)) // this incarnation does not hold leadership
	require.Equal(t, []string{"a"}, e.evict(200))
	require.False(t, e.leaderIs(restarted))
}

func rule12EvictionRemovesThePreemptionRequest(t *testing.T, e *testElection) {
	a, _, _, _ := e.challenged()
	e.acts(election.Renewed, a, at(9))
	require.Equal(t, []string{"b"}, e.evict(18))
	require.Equal(t, election.NoRequest, e.acts(election.Renewed, a, at(18)).Request.Kind)
}

func invariant22EvictionIsBounded(t *testing.T, e *testElection) {
	e.initialized()
	const dead = election.MaxEvictions + 10
	for from := 0; from < dead; from += 100 {
		e.Do(func(tr kv.Transaction) error {
			for i := from; i < min(from+100, dead); i++ {
				me := newProcess(fmt.Sprintf("dead%04d", i), 1)
				me.UserVersion = uint16(i)
				if err := e.RegisterCandidate(tr, me, at(0)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.Len(t, e.evict(20), election.MaxEvictions)
	require.Len(t, e.evict(20), 10)
	require.Empty(t, e.evict(20))
}
