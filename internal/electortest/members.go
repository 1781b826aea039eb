package electortest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

var memberTests = []test{
	{"the leader evicts the dead", deadIsEvicted},
	{"an evicted follower registers again", evictedRegistersAgain},
	{"a change of role gives up the seat", roleChange},
}

// The leader evicts who has been silent for the candidate timeout, and nobody else.
func deadIsEvicted(tc *cluster) {
	tc.brisk()
	tc.leading("leader")
	tc.following("alive")
	dead := tc.following("dead")
	dead.Abandon()
	last := tc.candidates()["dead"]
	tc.until("it is evicted", func() bool { return tc.candidates()["dead"].ID == "" })
	silent := time.Since(last.LastHeartbeat)
	require.GreaterOrEqual(tc, silent, silence-slack)
	tc.Logf("silent for %v", silent)
	left := tc.candidates()
	require.Contains(tc, left, "leader")
	require.Contains(tc, left, "alive")
}

// Who was evicted by mistake is listed again, as the same incarnation.
func evictedRegistersAgain(tc *cluster) {
	tc.brisk()
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
	tc.until("it is listed again", func() bool {
		again = tc.candidates()["follower"]
		return again.ID != "" && again.Versionstamp != before.Versionstamp
	})
	require.Equal(tc, before.Identity, again.Identity)
	require.Equal(tc, elector.StateFollower, f.State())
}

// A leader that becomes an observer gives up its seat and stays listed.
func roleChange(tc *cluster) {
	a := tc.leading("a")
	b := tc.following("b")
	require.NoError(tc, a.SetRole(election.Observer))
	require.Equal(tc, uint64(2), b.leads(promptly))
	a.enters(elector.StateObserver, patience)
	tc.until("its record says so", func() bool { return tc.candidates()["a"].Role == election.Observer })
}
