package electortest

import (
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

var tenureTests = []test{
	{"the first claims the seat", firstClaim},
	{"a follower knows the leader", followerKnowsTheLeader},
	{"a seat is handed over on Stop", handOverOnStop},
	{"two handles are two processes", twoHandles},
	{"of two claims at once one is committed", twoClaims},
	{"of many contenders one leads", manyContenders},
}

// The first elector makes the election, is listed, and leads at once; when it
// stops, nothing of it is left but the vacant seat.
func firstClaim(w *world) {
	a := w.begin("a")
	require.Equal(w, uint64(1), a.leads(patience))
	require.True(w, a.believes())
	require.Equal(w, elector.StateLeader, a.State())
	require.Equal(w, "a", a.LeaderID())
	seat := w.seat()
	require.Equal(w, "a", seat.ID)
	require.Equal(w, uint64(1), seat.Term)
	require.Equal(w, election.AcquireVacancy, seat.AcquireReason)
	require.Equal(w, long, seat.LeaseDuration)
	require.Equal(w, seat.Identity, w.candidates()["a"].Identity)

	a.stop()
	require.ErrorIs(w, a.IsLeader(w.Context()), fdbelection.ErrNotLeader)
	require.True(w, w.seat().Vacant())
	require.Empty(w, w.candidates())
	require.Equal(w, []elector.State{
		elector.StateCandidate, elector.StateLeader, elector.StateCandidate, elector.StateStopped,
	}, a.history())
}

func followerKnowsTheLeader(w *world) {
	w.leading("a", tags(map[string]string{"address": "a:80"}))
	b := w.following("b")
	require.ErrorIs(w, b.IsLeader(w.Context()), fdbelection.ErrNotLeader)
	w.until("the metadata of the leader", func() bool {
		leader, ok := b.Leader()
		return ok && leader.ID == "a" && leader.Term == 1 && leader.Metadata["address"] == "a:80"
	})
	require.Equal(w, uint64(1), b.Term())
	require.Equal(w, election.Voter, w.candidates()["b"].Role)
}

// The successor learns of a vacancy from its watch, long before the lease would
// be over, and before it would look of itself.
func handOverOnStop(w *world) {
	a := w.leading("a")
	b := w.following("b")
	begin := time.Now()
	a.stop()
	require.Equal(w, uint64(2), b.leads(promptly))
	w.Logf("from Stop to elected: %v", time.Since(begin))
	require.False(w, a.believes())
	require.Equal(w, election.AcquireVacancy, w.seat().AcquireReason)
}

// The seat goes from one handle to the other and back: each sees what the other
// writes, and is woken by it.
func twoHandles(w *world) {
	one, other := w.handle(), w.handle()
	a := w.leading("a", on(one))
	b := w.following("b", on(other))
	require.Equal(w, "a", b.LeaderID())
	a.stop()
	require.Equal(w, uint64(2), b.leads(promptly))
	require.NoError(w, a.Start(w.Context()))
	a.enters(elector.StateFollower, patience)
	require.Equal(w, "b", a.LeaderID())
	b.stop()
	require.Equal(w, uint64(3), a.leads(promptly))
}

// Two processes see the seat vacant and claim it, each before the other's commit.
func twoClaims(w *world) {
	w.leading("a").stop() // the first claim of all depends on more
	claim := func(id string) kv.OwnedTransaction {
		me := election.Registration{Identity: election.Identity{ID: id, Incarnation: uuid.New()}}
		w.transact(func(tr kv.Transaction) error { return w.election.RegisterCandidate(tr, me, time.Now()) })
		tr, err := w.handle().CreateTransaction(w.Context())
		require.NoError(w, err)
		w.Cleanup(tr.Cancel)
		now := time.Now()
		result, err := w.election.RunElectionCycle(tr, me, now, election.WithObservation(election.Observation{}, now))
		require.NoError(w, err)
		require.Equal(w, election.Claimed, result.Action)
		return tr
	}
	first, second := claim("first"), claim("second")
	require.NoError(w, first.Commit())
	require.Equal(w, kv.CodeNotCommitted, kv.CodeOf(second.Commit()))
	require.Equal(w, "first", w.seat().ID)
}

// All start at once. One of them leads, in the first term, and all the others
// follow it.
func manyContenders(w *world) {
	const contenders = 20
	var elected atomic.Int64
	all := make([]*process, contenders)
	for i := range all {
		all[i] = w.process(string(rune('a'+i)), whenElected(func() { elected.Add(1) }))
	}
	for _, p := range all {
		require.NoError(w, p.Start(w.Context()))
	}
	var leader *process
	for _, p := range all {
		if p.settles() == elector.StateLeader {
			require.Nil(w, leader, "there is a second leader")
			leader = p
		}
	}
	require.NotNil(w, leader)
	for _, p := range all {
		require.Equal(w, leader.id, p.LeaderID())
		require.Equal(w, p == leader, p.believes())
	}
	require.EqualValues(w, 1, elected.Load())
	require.Equal(w, uint64(1), w.seat().Term)
	require.Len(w, w.candidates(), contenders)
}

// settles waits until the process leads or follows.
func (p *process) settles() elector.State {
	p.w.Helper()
	for {
		t := within(p.w, patience, p.moves, p.id+" leads or follows")
		if t.To == elector.StateLeader || t.To == elector.StateFollower {
			return t.To
		}
	}
}
