package electortest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

var memberTests = []test{
	theLeaderEvictsCandidatesThatHaveTimedOut,
	anEvictedFollowerRegistersAgain,
	aLeaderThatBecomesAnObserverResigns,
}

// The leader evicts a candidate without a heartbeat for the candidate timeout, and no other one.
func theLeaderEvictsCandidatesThatHaveTimedOut(tc *cluster) {
	tc.frequentHeartbeats()
	tc.leading("leader")
	tc.following("alive")
	dead := tc.following("dead")
	dead.Abandon()
	last := tc.candidates()["dead"]
	tc.until("it is evicted", func() bool { return tc.candidates()["dead"].ID == "" })
	age := time.Since(last.LastHeartbeat)
	require.GreaterOrEqual(tc, age, timeout-slack)
	tc.Logf("evicted %v after its last heartbeat", age)
	left := tc.candidates()
	require.Contains(tc, left, "leader")
	require.Contains(tc, left, "alive")
}

// A candidate that was evicted by mistake registers again, as the same incarnation.
func anEvictedFollowerRegistersAgain(tc *cluster) {
	tc.frequentHeartbeats()
	tc.leading("leader")
	f := tc.following("follower")
	before := tc.candidates()["follower"]
	tc.transact(func(tr kv.Transaction) error {
		c, err := tc.election.GetCandidate(tr, "follower")
		if err == nil {
			_, err = tc.election.EvictUnchanged(tr, []election.Candidate{c})
		}
		return err
	})
	var again election.Candidate
	tc.until("it is registered again", func() bool {
		again = tc.candidates()["follower"]
		return again.ID != "" && again.Versionstamp != before.Versionstamp
	})
	require.Equal(tc, before.Identity, again.Identity)
	require.Equal(tc, elector.StateFollower, f.State())
}

// A leader that becomes an observer resigns and stays registered.
func aLeaderThatBecomesAnObserverResigns(tc *cluster) {
	a := tc.leading("a")
	b := tc.following("b")
	require.NoError(tc, a.SetRole(election.Observer))
	require.Equal(tc, uint64(2), b.leads(promptly))
	a.enters(elector.StateObserver, patience)
	tc.until("the role in its record", func() bool { return tc.candidates()["a"].Role == election.Observer })
}
