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
	theFirstCandidateLeads,
	aFollowerKnowsTheLeader,
	stopHandsOver,
	stopAndHandOver,
	stopAndHandOverWithoutASuccessor,
	twoHandlesAreTwoProcesses,
	oneOfTwoConcurrentClaimsCommits,
	oneOfManyCandidatesLeads,
}

// The first elector creates the election, registers and leads at once. When it stops, only the
// vacant leader record stays.
func theFirstCandidateLeads(tc *cluster) {
	a := tc.begin("a")
	require.Equal(tc, uint64(1), a.leads(patience))
	require.True(tc, a.Leading())
	require.Equal(tc, elector.StateLeader, a.State())
	require.Equal(tc, "a", a.LeaderID())
	leader := tc.leader()
	require.Equal(tc, "a", leader.ID)
	require.Equal(tc, uint64(1), leader.Term)
	require.Equal(tc, election.AcquireVacancy, leader.AcquireReason)
	require.Equal(tc, long, leader.LeaseDuration)
	require.Equal(tc, leader.Identity, tc.candidates()["a"].Identity)

	a.stop()
	require.ErrorIs(tc, a.IsLeader(tc.Context()), fdbelection.ErrNotLeader)
	require.True(tc, tc.leader().Vacant())
	require.Empty(tc, tc.candidates())
	require.Equal(tc, []elector.State{
		elector.StateCandidate, elector.StateLeader, elector.StateCandidate, elector.StateStopped,
	}, a.history())
}

func aFollowerKnowsTheLeader(tc *cluster) {
	tc.leading("a", withMetadata(map[string]string{"address": "a:80"}))
	b := tc.following("b")
	require.ErrorIs(tc, b.IsLeader(tc.Context()), fdbelection.ErrNotLeader)
	tc.until("the metadata of the leader", func() bool {
		leader, ok := b.Leader()
		return ok && leader.ID == "a" && leader.Term == 1 && leader.Metadata["address"] == "a:80"
	})
	require.Equal(tc, uint64(1), b.Term())
	require.Equal(tc, election.Voter, tc.candidates()["b"].Role)
}

// A watch informs the successor of the vacancy, long before the lease expires or it would poll.
func stopHandsOver(tc *cluster) {
	a := tc.leading("a")
	b := tc.following("b")
	begin := time.Now()
	a.stop()
	require.Equal(tc, uint64(2), b.leads(promptly))
	tc.Logf("from Stop to elected: %v", time.Since(begin))
	require.False(tc, a.Leading())
	require.Equal(tc, election.AcquireVacancy, tc.leader().AcquireReason)
}

// The process names its successor, by its id or as the newest whose id begins with a text.
// Leadership goes to it in one step, although another candidate is first by rank.
func stopAndHandOver(tc *cluster) {
	a := tc.leading("host-1")
	tc.following("first", priority(-1))
	b := tc.following("host-2", priority(-2))
	require.NoError(tc, a.StopAndHandOver(tc.patient(), "host-2"))
	require.Equal(tc, uint64(2), b.leads(promptly))
	leader := tc.leader()
	require.Equal(tc, "host-2", leader.ID)
	require.Equal(tc, election.AcquireTransfer, leader.AcquireReason)
	require.Equal(tc, uint64(3), leader.Ballot, "claimed, handed over, accepted")
	require.NotContains(tc, tc.candidates(), "host-1")

	tc.following("host-3", priority(-3))
	d := tc.following("host-4", priority(-4))
	require.NoError(tc, b.StopAndHandOver(tc.patient(), "host-*"))
	require.Equal(tc, uint64(3), d.leads(promptly))
	require.Equal(tc, uint64(5), tc.leader().Ballot)
}

// Without the successor the process resigns, and says why.
func stopAndHandOverWithoutASuccessor(tc *cluster) {
	a := tc.leading("a")
	b := tc.following("b")
	err := a.StopAndHandOver(tc.patient(), "c")
	require.ErrorIs(tc, err, fdbelection.ErrProcessNotFound)
	var failed *elector.HandOverError
	require.ErrorAs(tc, err, &failed)
	require.Equal(tc, uint64(2), b.leads(promptly))
	require.Equal(tc, election.AcquireVacancy, tc.leader().AcquireReason)
	require.NotContains(tc, tc.candidates(), "a")
}

// Leadership passes from one handle to the other and back. Each handle sees the writes of the
// other, and its watches fire.
func twoHandlesAreTwoProcesses(tc *cluster) {
	one, other := tc.handle(), tc.handle()
	a := tc.leading("a", on(one))
	b := tc.following("b", on(other))
	require.Equal(tc, "a", b.LeaderID())
	a.stop()
	require.Equal(tc, uint64(2), b.leads(promptly))
	require.NoError(tc, a.Start(tc.Context()))
	a.enters(elector.StateFollower, patience)
	require.Equal(tc, "b", a.LeaderID())
	b.stop()
	require.Equal(tc, uint64(3), a.leads(promptly))
}

// Two processes see the vacancy and claim, each before the commit of the other.
func oneOfTwoConcurrentClaimsCommits(tc *cluster) {
	tc.leading("a").stop() // the first claim reads more
	claim := func(id string) kv.OwnedTransaction {
		me := election.Registration{Identity: election.Identity{ID: id, Incarnation: uuid.New()}}
		tc.transact(func(tr kv.Transaction) error { return tc.election.RegisterCandidate(tr, me, time.Now()) })
		tr, err := tc.handle().CreateTransaction(tc.Context())
		require.NoError(tc, err)
		tc.Cleanup(tr.Cancel)
		now := time.Now()
		result, err := tc.election.RunElectionCycle(tr, me, now, election.WithObservation(election.Observation{}, now))
		require.NoError(tc, err)
		require.Equal(tc, election.Claimed, result.Action)
		return tr
	}
	first, second := claim("first"), claim("second")
	require.NoError(tc, first.Commit())
	require.Equal(tc, kv.CodeNotCommitted, kv.CodeOf(second.Commit()))
	require.Equal(tc, "first", tc.leader().ID)
}

// All candidates start at once. One of them leads in the first term, and the others follow it.
func oneOfManyCandidatesLeads(tc *cluster) {
	const count = 20
	var elected atomic.Int64
	all := make([]*process, count)
	for i := range all {
		all[i] = tc.process(string(rune('a'+i)), whenElected(func() { elected.Add(1) }))
	}
	for _, p := range all {
		require.NoError(tc, p.Start(tc.Context()))
	}
	var leader *process
	for _, p := range all {
		if p.waitForRole() == elector.StateLeader {
			require.Nil(tc, leader, "there is a second leader")
			leader = p
		}
	}
	require.NotNil(tc, leader)
	for _, p := range all {
		require.Equal(tc, leader.id, p.LeaderID())
		require.Equal(tc, p == leader, p.Leading())
	}
	require.EqualValues(tc, 1, elected.Load())
	require.Equal(tc, uint64(1), tc.leader().Term)
	require.Len(tc, tc.candidates(), count)
}

// waitForRole waits until the process leads or follows.
func (p *process) waitForRole() elector.State {
	p.tc.Helper()
	for {
		t := within(p.tc, patience, p.transitions, p.id+" leads or follows")
		if t.To == elector.StateLeader || t.To == elector.StateFollower {
			return t.To
		}
	}
}
