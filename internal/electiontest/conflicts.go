package electiontest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

var conflictTests = []test{
	{"Rule03_followers_conflict_with_nobody", followersConflictWithNobody},
	{"Rule04_eviction_and_heartbeats", evictionAgainstHeartbeats},
	{"Rule04_evicting_one_does_not_touch_another", evictionLeavesOthersAlone},
	{"Rule05_leaving_does_not_conflict_with_renewals_of_others", leavingIgnoresRenewals},
	{"Rule05_a_challenge_does_not_conflict_with_renewals", challengeIgnoresRenewals},
	{"Rule13_fenced_work_does_not_conflict_with_heartbeats", fencedWorkIgnoresHeartbeats},
	{"Invariant21_what_is_not_committed_leaves_no_trace", abortedLeavesNoTrace},
}

func followersConflictWithNobody(t *testing.T, w *world) {
	w.initialized()
	a, _ := w.leads("a", 1, at(0))
	b, c := w.join("b", 1, at(0)), w.join("c", 1, at(0))
	follower := w.open()
	_, err := w.RunElectionCycle(follower, b, at(1))
	require.NoError(t, err)
	renewal := w.open()
	_, err = w.RunElectionCycle(renewal, a, at(1))
	require.NoError(t, err)
	w.acts(election.Renewed, a, at(1))
	w.acts(election.Followed, c, at(1))
	require.NoError(t, follower.Commit(), "a follower conflicts neither with a renewal nor with another follower")
	w.requireConflict(renewal) // two renewals of one leader do
}

func evictionAgainstHeartbeats(t *testing.T, w *world) {
	w.initialized()
	w.leads("a", 1, at(0))
	b := w.join("b", 1, at(0))
	eviction, heartbeat := w.open(), w.open()
	evicted, err := w.EvictDeadCandidates(eviction, at(15.1))
	require.NoError(t, err)
	require.Equal(t, []string{"b"}, evicted)
	require.NoError(t, w.HeartbeatCandidate(heartbeat, b, at(15.1)))
	require.NoError(t, heartbeat.Commit())
	w.requireConflict(eviction) // a revived candidate is not evicted by a stale decision
	require.Equal(t, []string{"a", "b"}, w.ids())

	eviction, heartbeat = w.open(), w.open()
	_, err = w.EvictDeadCandidates(eviction, at(31))
	require.NoError(t, err)
	require.NoError(t, w.HeartbeatCandidate(heartbeat, b, at(31)))
	require.NoError(t, eviction.Commit())
	w.requireConflict(heartbeat) // a late heartbeat does not bring back a ghost
	require.Equal(t, []string{"a"}, w.ids())
	require.ErrorIs(t, w.try(func(tr kv.Transaction) error { return w.HeartbeatCandidate(tr, b, at(32)) }),
		fdbelection.ErrUnregisteredCandidate)
}

func evictionLeavesOthersAlone(t *testing.T, w *world) {
	w.initialized()
	a, _ := w.leads("a", 1, at(0))
	b := w.join("b", 1, at(0))
	w.join("dead", 1, at(0))
	w.cycle(b, at(9))
	w.acts(election.Renewed, a, at(9))
	eviction := w.open()
	evicted, err := w.EvictDeadCandidates(eviction, at(18))
	require.NoError(t, err)
	require.Equal(t, []string{"dead"}, evicted)
	w.acts(election.Renewed, a, at(18))
	w.acts(election.Followed, b, at(18))
	require.NoError(t, eviction.Commit(), "eviction conflicts with no heartbeat but of whom it evicts")
}

func leavingIgnoresRenewals(t *testing.T, w *world) {
	w.initialized()
	a, _ := w.leads("a", 1, at(0))
	b := w.join("b", 1, at(0))
	leave := w.open()
	require.NoError(t, w.UnregisterCandidate(leave, b.Identity, at(1)))
	w.acts(election.Renewed, a, at(1))
	require.NoError(t, leave.Commit())
	require.Equal(t, []string{"a"}, w.ids())
}

func challengeIgnoresRenewals(t *testing.T, w *world) {
	w.initialized(withGrace)
	a, _ := w.leads("a", 1, at(0))
	b := w.join("b", 2, at(0))
	challenge := w.open()
	result, err := w.RunElectionCycle(challenge, b, at(1))
	require.NoError(t, err)
	require.Equal(t, election.RequestedPreemption, result.Action)
	w.acts(election.Renewed, a, at(1))
	require.NoError(t, challenge.Commit())
	renewal := w.open()
	_, err = w.RunElectionCycle(renewal, a, at(2))
	require.NoError(t, err)
	w.acts(election.RequestedPreemption, b, at(2))
	require.NoError(t, renewal.Commit())
}

func fencedWorkIgnoresHeartbeats(t *testing.T, w *world) {
	w.initialized()
	a, token := w.leads("a", 1, at(0))
	work := w.open()
	require.NoError(t, w.RequireLeadership(work, token))
	work.Set(append(w.Subspace().Bytes(), "application"...), []byte("work"))
	w.acts(election.Renewed, a, at(3))
	w.acts(election.Renewed, a, at(6))
	require.NoError(t, work.Commit())
}

func abortedLeavesNoTrace(t *testing.T, w *world) {
	w.initialized()
	a := w.join("a", 1, at(0))
	tr := w.open()
	first, err := w.RunElectionCycle(tr, a, at(1))
	require.NoError(t, err)
	tr.Cancel()
	require.Zero(t, w.leader())
	second := w.acts(election.Claimed, a, at(2))
	require.EqualValues(t, 1, second.Leader.Term)
	require.NotEqual(t, first.Leader.Nonce, second.Leader.Nonce)
}
