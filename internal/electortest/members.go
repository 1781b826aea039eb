package electortest

import (
	"context"
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
	metadataOfTheLeaderArePushed,
	changesOfCandidatesArePushed,
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

// A change of the metadata of the leader reaches a follower and a subscriber by a watch. The
// candidate timeout is long, so a list would come much later.
func metadataOfTheLeaderArePushed(tc *cluster) {
	tc.config.HeartbeatInterval = timeout / 4
	a := tc.leading("a")
	followers := []*process{tc.following("b"), tc.process("watcher")}
	for _, f := range followers {
		leaders := f.Subscribe(tc.Context())
		for next := (elector.LeaderInfo{}); next.ID != "a"; {
			next = within(tc, patience, leaders, "the leader")
		}
		for _, text := range []string{"1 for " + f.NodeID(), "2 for " + f.NodeID()} {
			require.NoError(tc, a.SetMetadata(map[string]string{"addr": text}))
			for next := (elector.LeaderInfo{}); next.Metadata["addr"] != text; {
				next = within(tc, promptly, leaders, "the new metadata")
				require.Equal(tc, "a", next.ID)
			}
			require.Equal(tc, text, tc.candidates()["a"].Metadata["addr"])
		}
	}
}

// A process that asks for it is told of each change of any candidate by a watch.
func changesOfCandidatesArePushed(tc *cluster) {
	tc.config.HeartbeatInterval = timeout / 4
	states := make(chan elector.ClusterState, 1000)
	tc.leading("a")
	tc.begin("o", observer, func(s *settings) {
		s.Callbacks.OnCandidatesChange = func(_ context.Context, state elector.ClusterState) { states <- state }
	})
	sees := func(what string, as func(elector.ClusterState) bool) {
		tc.Helper()
		for s := (elector.ClusterState{}); !as(s); {
			s = within(tc, promptly, states, what)
		}
	}
	sees("itself", func(s elector.ClusterState) bool { return len(s.Observers) == 1 && len(s.Voters) == 1 })
	b := tc.following("b")
	sees("b", func(s elector.ClusterState) bool { return len(s.Voters) == 2 })
	require.NoError(tc, b.SetMetadata(map[string]string{"addr": "1"}))
	sees("its metadata", func(s elector.ClusterState) bool { return len(s.Voters) == 2 && s.Voters[1].Metadata["addr"] == "1" })
	b.stop()
	sees("that it has left", func(s elector.ClusterState) bool { return len(s.Voters) == 1 })
}
