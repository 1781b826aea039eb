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
	{"a higher priority takes over without overlap", gracefulPreemption},
	{"SetPriority takes the seat", setPriority},
	{"an equal priority takes nothing", equalPriority},
	{"a challenger that is no longer higher gets nothing", equalChallenger},
}

// The leader is told by its watch that a higher priority has come. Its work ends,
// and only then does the other lead.
func gracefulPreemption(w *world) {
	asked, release := make(chan struct{}, 1), make(chan struct{})
	var working, overlap atomic.Bool
	low := w.process("low")
	low.works(w.Context(), func(ctx context.Context, _ *elector.Leadership) error {
		working.Store(true)
		defer working.Store(false)
		<-ctx.Done()
		asked <- struct{}{}
		<-release
		return nil
	})
	low.leads(patience)
	high := w.begin("high", priority(1), whenElected(func() { overlap.Store(working.Load()) }))
	within(w, promptly, asked, "the end of the context")
	high.doesNotLead(quiet)
	require.Equal(w, "low", w.seat().ID)
	close(release)
	require.Equal(w, uint64(2), high.leads(promptly))
	require.False(w, overlap.Load())
	require.Equal(w, election.AcquirePreemption, w.seat().AcquireReason)
	low.enters(elector.StateFollower, patience)
}

func setPriority(w *world) {
	a := w.leading("a", priority(3))
	b := w.following("b", priority(2))
	b.SetPriority(4)
	require.Equal(w, uint64(2), b.leads(promptly))
	require.EqualValues(w, 4, w.seat().Priority)
	a.enters(elector.StateFollower, patience)
	require.EqualValues(w, 4, w.candidates()["b"].Priority)
}

// Only a strictly higher priority preempts: an equal one waits for an open seat.
func equalPriority(w *world) {
	w.brisk()
	a := w.leading("a", priority(1))
	b := w.following("b", priority(1))
	w.beats("a", "b")
	require.Equal(w, election.NoRequest, w.intent().Kind, "nobody asked for the seat")
	require.True(w, a.believes())
	require.Equal(w, uint64(1), w.seat().Term)
	a.stop()
	require.Equal(w, uint64(2), b.leads(patience))
}

// A challenger whose priority becomes equal takes its challenge back with that
// heartbeat, and the leader works on.
func equalChallenger(w *world) {
	w.brisk()
	a := w.leading("a", priority(1))
	equal := election.Registration{Identity: election.Identity{ID: "b", Incarnation: uuid.New()}, Priority: 1}
	higher := equal
	higher.Priority = 2
	cycle := func(tr kv.Transaction, me election.Registration, want election.Action) error {
		now := time.Now()
		result, err := w.election.RunElectionCycle(tr, me, now, election.WithObservation(election.Observation{}, now))
		if err == nil {
			require.Equal(w, want, result.Action)
		}
		return err
	}
	w.transact(func(tr kv.Transaction) error { return w.election.RegisterCandidate(tr, equal, time.Now()) })
	w.transact(func(tr kv.Transaction) error { return cycle(tr, equal, election.Followed) })
	w.transact(func(tr kv.Transaction) error {
		if err := cycle(tr, higher, election.RequestedPreemption); err != nil {
			return err
		}
		return w.election.HeartbeatCandidate(tr, equal, time.Now())
	})
	require.Equal(w, election.NoRequest, w.intent().Kind)
	w.beats("a")
	require.True(w, a.believes())
	require.Equal(w, uint64(1), w.seat().Term)
	require.Equal(w, []elector.State{elector.StateCandidate, elector.StateLeader}, a.history())
}
