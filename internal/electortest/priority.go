package electortest

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

var priorityTests = []test{
	aHigherPriorityTakesOverWithoutOverlap,
	setPriorityPreempts,
	anEqualPriorityDoesNotPreempt,
	aChallengerWithdrawsIfItsPriorityBecomesEqual,
}

// A watch informs the leader of a preemption request. The challenger leads after the work of the
// leader has returned.
func aHigherPriorityTakesOverWithoutOverlap(tc *cluster) {
	stopping, release := make(chan struct{}, 1), make(chan struct{})
	var working, overlap atomic.Bool
	low := tc.process("low")
	low.works(tc.Context(), func(ctx context.Context, _ *elector.Leadership) error {
		working.Store(true)
		defer working.Store(false)
		<-ctx.Done()
		stopping <- struct{}{}
		<-release
		return nil
	})
	low.leads(patience)
	high := tc.begin("high", priority(1), whenElected(func() { overlap.Store(working.Load()) }))
	within(tc, promptly, stopping, "the end of the context")
	high.doesNotLead(pause)
	require.Equal(tc, "low", tc.leader().ID)
	close(release)
	require.Equal(tc, uint64(2), high.leads(promptly))
	require.False(tc, overlap.Load())
	require.Equal(tc, election.AcquirePreemption, tc.leader().AcquireReason)
	low.enters(elector.StateFollower, patience)
}

func setPriorityPreempts(tc *cluster) {
	a := tc.leading("a", priority(3))
	b := tc.following("b", priority(2))
	b.SetPriority(4)
	require.Equal(tc, uint64(2), b.leads(promptly))
	require.EqualValues(tc, 4, tc.leader().Priority)
	a.enters(elector.StateFollower, patience)
	require.EqualValues(tc, 4, tc.candidates()["b"].Priority)
}

// Only a strictly higher priority preempts. An equal one waits for a vacancy.
func anEqualPriorityDoesNotPreempt(tc *cluster) {
	tc.frequentHeartbeats()
	a := tc.leading("a", priority(1))
	b := tc.following("b", priority(1))
	tc.heartbeats("a", "b")
	require.Equal(tc, election.NoRequest, tc.request().Kind, "there is no request")
	require.True(tc, a.Leading())
	require.Equal(tc, uint64(1), tc.leader().Term)
	a.stop()
	require.Equal(tc, uint64(2), b.leads(patience))
}

// A challenger whose priority becomes equal withdraws its request with that heartbeat. The leader
// continues.
func aChallengerWithdrawsIfItsPriorityBecomesEqual(tc *cluster) {
	tc.frequentHeartbeats()
	a := tc.leading("a", priority(1))
	equal := election.Registration{Identity: election.Identity{ID: "b", Incarnation: uuid.New()}, Priority: 1}
	higher := equal
	higher.Priority = 2
	cycle := func(tr kv.Transaction, me election.Registration, want election.Action) error {
		now := time.Now()
		result, err := tc.election.RunElectionCycle(tr, me, now, election.WithObservation(election.Observation{}, now))
		if err == nil {
			require.Equal(tc, want, result.Action)
		}
		return err
	}
	tc.transact(func(tr kv.Transaction) error { return tc.election.RegisterCandidate(tr, equal, time.Now()) })
	tc.transact(func(tr kv.Transaction) error { return cycle(tr, equal, election.Followed) })
	tc.transact(func(tr kv.Transaction) error {
		if err := cycle(tr, higher, election.RequestedPreemption); err != nil {
			return err
		}
		return tc.election.HeartbeatCandidate(tr, equal, time.Now())
	})
	require.Equal(tc, election.NoRequest, tc.request().Kind)
	tc.heartbeats("a")
	require.True(tc, a.Leading())
	require.Equal(tc, uint64(1), tc.leader().Term)
	require.Equal(tc, []elector.State{elector.StateCandidate, elector.StateLeader}, a.history())
}
