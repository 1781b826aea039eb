package elector_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// Stats shows the state of a leader and what it has counted.
func TestStatsOfALeader(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.process("a")
		require.Zero(tc, a.Stats().Renewals.Count)
		require.Equal(tc, elector.StateStopped, a.Stats().State)
		require.NoError(tc, a.Start(tc.Context()))
		a.leads()
		time.Sleep(heartbeat + soon)
		synctest.Wait()

		s := a.Stats()
		require.Equal(tc, elector.StateLeader, s.State)
		require.Equal(tc, tc.leader().Term, s.Term)
		require.Equal(tc, tc.leader().Ballot, s.Ballot)
		require.InDelta(tc, (stopAt - soon).Seconds(), s.Remaining.Seconds(), soon.Seconds())
		require.Empty(tc, s.NotReady)
		require.Empty(tc, s.Delays)
		require.Equal(tc, uint64(1), s.Renewals.Count)
		require.Equal(tc, uint64(1), s.Transitions[elector.TransitionKind{
			From: elector.StateCandidate, To: elector.StateLeader, Reason: elector.ReasonVacancy,
		}])
		require.Equal(tc, uint64(len(a.history())), s.Callbacks["OnTransition"].Count)
		require.Positive(tc, s.WatchesFired[elector.WatchLeader], "its own claim fires its watch")
		require.Zero(tc, s.Conflicts+s.Retries+s.Fenced)
	})
}

// A renewal that meets a conflict is retried. Both are counted, and its time has both
// attempts.
func TestStatsOfAConflict(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		a.leads()
		conflict, met := once(tc.commits("a", "leader"), func(context.Context, *memkv.Call) error {
			time.Sleep(300 * time.Millisecond)
			return kv.Error{Code: kv.CodeNotCommitted}
		})
		tc.before(conflict)
		time.Sleep(heartbeat + time.Second)
		synctest.Wait()
		require.True(tc, met())
		s := a.Stats()
		require.Equal(tc, uint64(1), s.Conflicts)
		require.Equal(tc, uint64(1), s.Retries)
		require.Equal(tc, uint64(1), s.Renewals.Count)
		require.InDelta(tc, 0.3, s.Renewals.Sum.Seconds(), 0.1)
	})
}

// Stats shows the hold-off after failed work, a refused write, and a watch that fails.
func TestStatsOfFailures(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.process("a")
		lead, err := a.Campaign(tc.Context())
		require.NoError(tc, err)
		tc.replaceLeader(lead)
		require.ErrorIs(tc, tc.account().set(lead, "late"), fdbelection.ErrFenced)
		synctest.Wait() // until its watch has told it
		require.Equal(tc, uint64(1), a.Stats().Fenced)
		require.Zero(tc, a.Stats().Remaining)

		b := tc.process("b", func(_ *process, o *elector.Options) {
			o.Ready = func(context.Context) error { return context.Canceled }
		})
		require.NoError(tc, b.Start(tc.Context()))
		b.enters(elector.StateFollower)
		synctest.Wait()
		require.Equal(tc, "context canceled", b.Stats().NotReady)
	})
	inCluster(t, func(tc *cluster) {
		a := tc.process("a")
		a.run(tc.Context(), func(context.Context, *elector.Leadership) error { return context.Canceled })
		a.leads()
		a.enters(elector.StateCandidate)
		synctest.Wait()
		left := a.Stats().Delays[elector.DelayHoldOff]
		require.InDelta(tc, lease.Seconds(), left.Seconds(), 0.1)
		time.Sleep(lease / 2)
		require.InDelta(tc, (left - lease/2).Seconds(), a.Stats().Delays[elector.DelayHoldOff].Seconds(), 0.1)
	})
}

// Counts stay when the elector is started again.
func TestStatsOutliveASession(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		a.leads()
		time.Sleep(heartbeat + soon)
		a.stop()
		require.Equal(tc, uint64(1), a.Stats().Renewals.Count)
		require.Equal(tc, elector.StateStopped, a.Stats().State)
		require.NoError(tc, a.Start(tc.Context()))
		a.leads()
		time.Sleep(heartbeat + soon)
		require.Equal(tc, uint64(2), a.Stats().Renewals.Count)
	})
}
