package elector_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// onCandidates sets OnCandidatesChange.
func onCandidates(onChange func(elector.ClusterState)) setting {
	return callbacks(func(c *elector.Callbacks) {
		c.OnCandidatesChange = func(_ context.Context, s elector.ClusterState) { onChange(s) }
	})
}

// Each change of any candidate is pushed to those that ask for it. Heartbeats are not changes.
func TestCandidatesByPush(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		states := make(chan elector.ClusterState, 100)
		a := tc.begin("a")
		a.leads()
		tc.begin("o", onCandidates(func(s elector.ClusterState) { states <- s }), observer, withoutTransitions)
		for s := (elector.ClusterState{}); len(s.Observers) == 0; {
			s = within(tc, states, "the candidates")
			require.True(tc, s.Complete)
		}
		var b *process
		for _, step := range []struct {
			name string
			do   func()
			as   func(s elector.ClusterState) bool
		}{
			{"b registers", func() { b = tc.begin("b") }, func(s elector.ClusterState) bool { return len(s.Voters) == 2 }},
			{"metadata", func() { require.NoError(tc, b.SetMetadata(address("2"))) }, func(s elector.ClusterState) bool { return s.Voters[1].Metadata["addr"] == "2" }},
			{"metadata of the leader", func() { require.NoError(tc, a.SetMetadata(address("1"))) }, func(s elector.ClusterState) bool { return s.Voters[0].Metadata["addr"] == "1" }},
			{"priority", func() { b.SetPriority(-1) }, func(s elector.ClusterState) bool { return s.Voters[1].Priority == -1 }},
			{"role", func() { require.NoError(tc, b.SetRole(election.Observer)) }, func(s elector.ClusterState) bool { return len(s.Observers) == 2 }},
			{"b leaves", func() { b.stop() }, func(s elector.ClusterState) bool { return len(s.Voters)+len(s.Observers) == 2 }},
		} {
			time.Sleep(2*heartbeat + 7*time.Millisecond)
			require.Empty(tc, states)
			changed := time.Now()
			step.do()
			require.True(tc, step.as(within(tc, states, step.name)), step.name)
			require.LessOrEqual(tc, time.Since(changed), soon, step.name)
		}
		noneWithin(tc, states, 3*tc.config.CandidateTimeout)

		dead := tc.begin("dead")
		within(tc, states, "it registers")
		dead.Abandon()
		require.Len(tc, within(tc, states, "it is evicted").Voters, 1)
		for range 3 { // one call may report several changes, and each change is reported
			noneWithin(tc, states, lease)
		}
	})
}

// If watches are lost, a list finds the change.
func TestCandidatesWithoutWatches(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		states := make(chan elector.ClusterState, 100)
		tc.begin("a").leads()
		tc.begin("o", onCandidates(func(s elector.ClusterState) { states <- s }), observer, withoutTransitions)
		time.Sleep(lease)
		for len(states) > 0 {
			<-states
		}
		tc.loseWatches(true)
		tc.begin("b")
		require.Len(tc, within(tc, states, "b registers").Voters, 2)
	})
}

// A callback that hangs gets one more call when it returns, with the newest state. Nothing waits
// for it, and nothing piles up.
func TestSlowCandidatesCallback(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		hang, entered, last := make(chan struct{}), 0, 0
		tc.begin("a", onCandidates(func(s elector.ClusterState) {
			entered++
			last = len(s.Voters)
			<-hang
		})).leads()
		for i := range 20 {
			tc.begin(string(rune('b' + i)))
			time.Sleep(heartbeat)
		}
		synctest.Wait()
		require.Equal(tc, 1, entered)
		close(hang)
		time.Sleep(callbackLimit)
		synctest.Wait()
		require.Equal(tc, 2, entered)
		require.Equal(tc, 21, last)
	})
}

// Electors of one process share the watch of the candidates, and each reports every change.
func TestElectorsOfAProcessShareTheCandidatesWatch(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		// One for the leadership, one for requests to the leader and one for the candidates.
		tc.db = memkv.New(memkv.Options{MaxWatches: 3})
		states := make(chan elector.ClusterState, 1000)
		all := tc.oneProcess(5, onCandidates(func(s elector.ClusterState) { states <- s }))
		startAll(all)
		time.Sleep(lease)
		for len(states) > 0 {
			<-states
		}
		changed := time.Now()
		require.NoError(tc, all[3].SetMetadata(address("1")))
		for range all {
			found := 0
			for _, v := range within(tc, states, "the change").Voters {
				if v.Metadata["addr"] == "1" {
					found++
				}
			}
			require.Equal(tc, 1, found)
			require.LessOrEqual(tc, time.Since(changed), soon)
		}
		noneWithin(tc, states, lease)
		for _, p := range all {
			require.Empty(tc, p.Errors())
		}
	})
}
