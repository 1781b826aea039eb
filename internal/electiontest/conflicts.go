package electiontest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

var conflictTests = []test{
	rule03FollowersDoNotConflict,
	rule04EvictionAndHeartbeats,
	rule04AnEvictionDoesNotConflictWithOtherHeartbeats,
	rule05LeavingDoesNotConflictWithRenewalsOfOthers,
	rule05APreemptionRequestDoesNotConflictWithRenewals,
	rule13FencedWorkDoesNotConflictWithHeartbeats,
	invariant21AnAbortedTransactionChangesNothing,
}

func rule03FollowersDoNotConflict(t *testing.T, e *testElection) {
	e.initialized()
	a, _ := e.leads("a", 1, at(0))
	b, c := e.join("b", 1, at(0)), e.join("c", 1, at(0))
	follower := e.Begin()
	_, err := e.RunElectionCycle(follower, b, at(1))
	require.NoError(t, err)
	renewal := e.Begin()
	_, err = e.RunElectionCycle(renewal, a, at(1))
	require.NoError(t, err)
	e.acts(election.Renewed, a, at(1))
	e.acts(election.Followed, c, at(1))
	require.NoError(t, follower.Commit(), "a follower conflicts neither with a renewal nor with another follower")
	e.RequireConflict(renewal) // two renewals of one leader conflict
}

func rule04EvictionAndHeartbeats(t *testing.T, e *testElection) {
	e.initialized()
	e.leads("a", 1, at(0))
	b := e.join("b", 1, at(0))
	eviction, heartbeat := e.Begin(), e.Begin()
	evicted, err := e.EvictDeadCandidates(eviction, at(15.1))
	require.NoError(t, err)
	require.Equal(t, []string{"b"}, evicted)
	require.NoError(t, e.HeartbeatCandidate(heartbeat, b, at(15.1)))
	require.NoError(t, heartbeat.Commit())
	e.RequireConflict(eviction) // the candidate has sent a heartbeat since the eviction read it
	require.Equal(t, []string{"a", "b"}, e.ids())

	eviction, heartbeat = e.Begin(), e.Begin()
	_, err = e.EvictDeadCandidates(eviction, at(31))
	require.NoError(t, err)
	require.NoError(t, e.HeartbeatCandidate(heartbeat, b, at(31)))
	require.NoError(t, eviction.Commit())
	e.RequireConflict(heartbeat) // a late heartbeat does not restore an evicted candidate
	require.Equal(t, []string{"a"}, e.ids())
	require.ErrorIs(t, e.Try(func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, b, at(32)) }),
		fdbelection.ErrUnregisteredCandidate)
}

func rule04AnEvictionDoesNotConflictWithOtherHeartbeats(t *testing.T, e *testElection) {
	e.initialized()
	a, _ := e.leads("a", 1, at(0))
	b := e.join("b", 1, at(0))
	e.join("dead", 1, at(0))
	e.cycle(b, at(9))
	e.acts(election.Renewed, a, at(9))
	eviction := e.Begin()
	evicted, err := e.EvictDeadCandidates(eviction, at(18))
	require.NoError(t, err)
	require.Equal(t, []string{"dead"}, evicted)
	e.acts(election.Renewed, a, at(18))
	e.acts(election.Followed, b, at(18))
	require.NoError(t, eviction.Commit(), "an eviction conflicts only with heartbeats of the candidates that it evicts")
}

func rule05LeavingDoesNotConflictWithRenewalsOfOthers(t *testing.T, e *testElection) {
	e.initialized()
	a, _ := e.leads("a", 1, at(0))
	b := e.join("b", 1, at(0))
	leave := e.Begin()
	require.NoError(t, e.UnregisterCandidate(leave, b.Identity, at(1)))
	e.acts(election.Renewed, a, at(1))
	require.NoError(t, leave.Commit())
	require.Equal(t, []string{"a"}, e.ids())
}

func rule05APreemptionRequestDoesNotConflictWithRenewals(t *testing.T, e *testElection) {
	e.initialized(withGrace)
	a, _ := e.leads("a", 1, at(0))
	b := e.join("b", 2, at(0))
	request := e.Begin()
	result, err := e.RunElectionCycle(request, b, at(1))
	require.NoError(t, err)
	require.Equal(t, election.RequestedPreemption, result.Action)
	e.acts(election.Renewed, a, at(1))
	require.NoError(t, request.Commit())
	renewal := e.Begin()
	_, err = e.RunElectionCycle(renewal, a, at(2))
	require.NoError(t, err)
	e.acts(election.RequestedPreemption, b, at(2))
	require.NoError(t, renewal.Commit())
}

func rule13FencedWorkDoesNotConflictWithHeartbeats(t *testing.T, e *testElection) {
	e.initialized()
	a, token := e.leads("a", 1, at(0))
	work := e.Begin()
	require.NoError(t, e.RequireLeadership(work, token))
	work.Set(append(e.Subspace().Bytes(), "application"...), []byte("work"))
	e.acts(election.Renewed, a, at(3))
	e.acts(election.Renewed, a, at(6))
	require.NoError(t, work.Commit())
}

func invariant21AnAbortedTransactionChangesNothing(t *testing.T, e *testElection) {
	e.initialized()
	a := e.join("a", 1, at(0))
	tr := e.Begin()
	first, err := e.RunElectionCycle(tr, a, at(1))
	require.NoError(t, err)
	tr.Cancel()
	require.Zero(t, e.leader())
	second := e.acts(election.Claimed, a, at(2))
	require.EqualValues(t, 1, second.Leader.Term)
	require.NotEqual(t, first.Leader.Nonce, second.Leader.Nonce)
}
