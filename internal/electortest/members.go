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
func deadIsEvicted(w *world) {
	w.brisk()
	w.leading("leader")
	w.following("alive")
	dead := w.following("dead")
	dead.Abandon()
	last := w.candidates()["dead"]
	w.until("it is evicted", func() bool { return w.candidates()["dead"].ID == "" })
	silent := time.Since(last.LastHeartbeat)
	require.GreaterOrEqual(w, silent, silence-slack)
	w.Logf("silent for %v", silent)
	left := w.candidates()
	require.Contains(w, left, "leader")
	require.Contains(w, left, "alive")
}

// Who was evicted by mistake is listed again, as the same incarnation.
func evictedRegistersAgain(w *world) {
	w.brisk()
	w.leading("leader")
	f := w.following("follower")
	before := w.candidates()["follower"]
	w.transact(func(tr kv.Transaction) error {
		c, err := w.election.GetCandidate(tr, "follower")
		if err == nil {
			_, err = w.election.EvictUnchanged(tr, []election.Candidate{c})
		}
		return err
	})
	var again election.Candidate
	w.until("it is listed again", func() bool {
		again = w.candidates()["follower"]
		return again.ID != "" && again.Versionstamp != before.Versionstamp
	})
	require.Equal(w, before.Identity, again.Identity)
	require.Equal(w, elector.StateFollower, f.State())
}

// A leader that becomes an observer gives up its seat and stays listed.
func roleChange(w *world) {
	a := w.leading("a")
	b := w.following("b")
	require.NoError(w, a.SetRole(election.Observer))
	require.Equal(w, uint64(2), b.leads(promptly))
	a.enters(elector.StateObserver, patience)
	w.until("its record says so", func() bool { return w.candidates()["a"].Role == election.Observer })
}
