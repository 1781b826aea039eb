package electiontest

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

var evictionTests = []test{
	{"Rule04_eviction_is_past_the_timeout_and_skips_the_holder", evictionSkipsTheHolder},
	{"Rule12_eviction_takes_the_challenge_with_it", evictionTakesTheChallenge},
	{"Invariant22_eviction_is_bounded", evictionIsBounded},
}

func (w *world) evict(now float64) (evicted []string) {
	w.t.Helper()
	w.do(func(tr kv.Transaction) (err error) {
		evicted, err = w.EvictDeadCandidates(tr, at(now))
		return err
	})
	return evicted
}

func evictionSkipsTheHolder(t *testing.T, w *world) {
	w.initialized()
	a, _ := w.leads("a", 1, at(0))
	w.join("b", 1, at(0))
	w.join("c", 1, at(1))
	require.Empty(t, w.evict(15), "at the timeout it is not past it")
	require.Equal(t, []string{"b"}, w.evict(16))
	require.Equal(t, []string{"c"}, w.evict(100))
	require.True(t, w.leaderIs(a))
	require.Equal(t, []string{"a"}, w.ids())
	require.Equal(t, []string{"a"}, w.preferred(9), "ranks go with their candidates")
	reborn := w.join("a", 1, at(100)) // the seat is not this incarnation's
	require.Equal(t, []string{"a"}, w.evict(200))
	require.False(t, w.leaderIs(reborn))
}

func evictionTakesTheChallenge(t *testing.T, w *world) {
	a, _, _, _ := w.challenged()
	w.acts(election.Renewed, a, at(9))
	require.Equal(t, []string{"b"}, w.evict(18))
	require.Equal(t, election.NoRequest, w.acts(election.Renewed, a, at(18)).Request.Kind)
}

func evictionIsBounded(t *testing.T, w *world) {
	w.initialized()
	const dead = election.MaxEvictions + 10
	for from := 0; from < dead; from += 100 {
		w.do(func(tr kv.Transaction) error {
			for i := from; i < min(from+100, dead); i++ {
				me := newProcess(fmt.Sprintf("dead%04d", i), 1)
				me.UserVersion = uint16(i)
				if err := w.RegisterCandidate(tr, me, at(0)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	require.Len(t, w.evict(20), election.MaxEvictions)
	require.Len(t, w.evict(20), 10)
	require.Empty(t, w.evict(20))
}
