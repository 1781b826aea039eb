package elector_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

func withMetadata(pairs map[string]string) setting {
	return func(_ *process, o *elector.Options) { o.Metadata = pairs }
}

// Methods that only query do no I/O.
func TestQueriesDoNoIO(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		a.leads()
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		time.Sleep(heartbeat/2 + step/3)
		synctest.Wait()
		before := tc.db.Counters()
		for range 100 {
			for _, p := range []*process{a, b} {
				_ = p.IsLeader(tc.Context())
				_, _, _, _ = p.State(), p.Term(), p.LeaderID(), p.NodeID()
				_, _ = p.Leader()
				_ = p.ClusterState()
			}
		}
		require.Equal(tc, before, tc.db.Counters())
	})
}

// Every process knows the listed candidates and their metadata. It knows the leader's metadata
// at once.
func TestClusterState(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a", withMetadata(map[string]string{"address": "10.0.0.1:80"}))
		a.leads()
		b := tc.begin("b", withMetadata(map[string]string{"zone": "north"}))
		o := tc.begin("o", observer, priority(7))
		b.enters(elector.StateFollower)
		leader, ok := b.Leader()
		require.True(tc, ok)
		require.Equal(tc, map[string]string{"address": "10.0.0.1:80"}, leader.Metadata)
		leader.Metadata["address"] = "changed by the caller"
		time.Sleep(tc.config.CandidateTimeout + heartbeat)
		for _, p := range []*process{a, b, o} {
			state := p.ClusterState()
			require.Equal(tc, p == a, state.Complete, "%s: only the leader lists all", p.id)
			known := time.Now()
			require.WithinDuration(tc, known, state.AsOf, tc.config.CandidateTimeout)
			if p == b {
				require.Len(tc, state.Voters, 2)
				require.Empty(tc, state.Observers, "a follower lists only voters")
			}
			state, err := p.ReadClusterState(tc.Context())
			require.NoError(tc, err)
			require.True(tc, state.Complete && state.AsOf.Equal(known))
			ended, end := context.WithCancel(tc.Context())
			end()
			_, err = p.ReadClusterState(ended)
			require.ErrorIs(tc, err, context.Canceled)
			require.Equal(tc, "a", state.Leader.ID, p.id)
			require.Equal(tc, map[string]string{"address": "10.0.0.1:80"}, state.Leader.Metadata)
			require.Len(tc, state.Voters, 2)
			require.Equal(tc, []string{"a", "b"}, []string{state.Voters[0].ID, state.Voters[1].ID}, "by rank")
			require.Len(tc, state.Observers, 1)
			require.True(tc, state.Voters[0].Alive && state.Voters[1].Alive && state.Observers[0].Alive)
			require.False(tc, state.AsOf.IsZero())
			require.Equal(tc, "north", state.Voters[1].Metadata["zone"])
			require.Equal(tc, lease, state.Config.LeaseDuration)
		}
	})
}

// Changed metadata is written at once. The caller's map is not kept.
func TestSetMetadata(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		a.leads()
		time.Sleep(heartbeat / 2)
		fresh := map[string]string{"address": "new"}
		require.NoError(tc, a.SetMetadata(fresh))
		fresh["address"] = "changed by the caller"
		time.Sleep(soon)
		require.Equal(tc, map[string]string{"address": "new"}, tc.candidate("a").Metadata)
		leader, _ := a.Leader()
		require.Equal(tc, map[string]string{"address": "new"}, leader.Metadata)

		b := tc.begin("b")
		b.enters(elector.StateFollower)
		require.NoError(tc, b.SetMetadata(map[string]string{"x": "y"}))
		time.Sleep(soon)
		require.Equal(tc, "y", tc.candidate("b").Metadata["x"])
		require.Error(tc, a.SetMetadata(map[string]string{"big": string(make([]byte, election.MaxMetadataBytes))}))
	})
}

// A raised priority preempts after the grace. A lowered one can be preempted.
func TestSetPriority(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a, b := tc.process("a"), tc.process("b")
		tenures := a.tenures(nil)
		lead := within(tc, tenures, "leadership")
		require.NoError(tc, b.Start(tc.Context()))
		b.enters(elector.StateFollower)
		time.Sleep(heartbeat)
		b.SetPriority(1)
		raised := time.Now()
		<-lead.Context().Done()
		require.Less(tc, time.Since(raised), step+soon)
		b.leads()
		require.InDelta(tc, tc.config.PreemptionGrace, time.Since(raised), float64(step+soon), "its work uses the complete grace")
		require.Contains(tc, a.reasons(), elector.ReasonChallenged)

		b.SetPriority(-1)
		lowered := time.Now()
		require.Equal(tc, uint64(3), within(tc, tenures, "leadership").Term())
		require.Less(tc, time.Since(lowered), 2*heartbeat)
	})
}

// A leader that becomes an observer drains, resigns and stays registered.
func TestSetRole(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		hold := make(chan struct{})
		a := tc.process("a")
		lead := within(tc, a.tenures(hold), "leadership")
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		time.Sleep(heartbeat / 2)
		require.NoError(tc, a.SetRole(election.Observer))
		<-lead.Context().Done()
		require.NoError(tc, lead.LeaseContext().Err())
		require.Equal(tc, "a", tc.leader().ID)
		close(hold)
		b.leads()
		a.enters(elector.StateObserver)
		time.Sleep(heartbeat)
		require.Equal(tc, election.Observer, tc.candidate("a").Role)
		b.stop()
		time.Sleep(2 * lease)
		require.True(tc, tc.leader().Vacant())

		require.NoError(tc, a.SetRole(election.Voter))
		a.enters(elector.StateLeader)
		require.Error(tc, a.SetRole(9))
	})
}

// A challenger that has left or was demoted while the work stops does not get leadership.
func TestSuccessorIsGone(t *testing.T) {
	for name, gone := range map[string]func(tc *cluster, p *process){
		"stopped": func(_ *cluster, p *process) { p.stop() },
		"demoted": func(tc *cluster, p *process) { require.NoError(tc, p.SetRole(election.Observer)) },
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				hold := make(chan struct{})
				a := tc.process("a")
				tenures := a.tenures(hold)
				lead := within(tc, tenures, "leadership")
				high := tc.begin("high", priority(1))
				<-lead.Context().Done()
				gone(tc, high)
				time.Sleep(heartbeat)
				require.Equal(tc, uint64(1), tc.leader().Term)
				close(hold)
				require.Equal(tc, uint64(2), within(tc, tenures, "the next leadership").Term())
			})
		})
	}
}

// A transfer goes to the candidate that the operator has named.
func TestTransferOnRequest(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		tc.begin("a", priority(9)).leads()
		b, c := tc.begin("b"), tc.begin("c")
		b.enters(elector.StateFollower)
		c.enters(elector.StateFollower)
		time.Sleep(heartbeat / 2)
		require.NoError(tc, tc.transfer("c"))
		require.Equal(tc, uint64(2), c.leads().Term)
		require.Equal(tc, election.AcquireTransfer, tc.leader().AcquireReason)
		require.NotContains(tc, b.history(), elector.StateLeader)
		time.Sleep(lease - heartbeat)
		require.Equal(tc, uint64(2), tc.leader().Term, "a higher priority does not preempt at once")
	})
}

// A leader that resigned on request holds off for a lease. It leads again if there is no other
// candidate.
func TestResignRequestHoldsOff(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		a.leads()
		time.Sleep(heartbeat / 2)
		tc.transact(func(tr kv.Transaction) error { return tc.election.RequestResign(tr, 1, nonce(1)) })
		resigned := time.Now()
		require.Equal(tc, uint64(2), a.leads().Term)
		require.InDelta(tc, lease, time.Since(resigned), float64(step+soon))
	})
}

// Errors that are not read are dropped, the oldest first. Nothing waits for a reader.
func TestErrorsAreKeptForAReader(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.begin("a")
		p.leads()
		for range 200 {
			tc.before(of("a", fail(errDisk)))
			time.Sleep(heartbeat)
			tc.before(nil)
			time.Sleep(heartbeat)
		}
		require.LessOrEqual(tc, len(p.Errors()), 64)
		require.NotEmpty(tc, p.Errors())
		require.Equal(tc, kv.CodeIOError, kv.CodeOf(<-p.Errors()))
		require.False(tc, tc.leader().Vacant())
	})
}

// A caller cannot change the metadata of an elector through a map that it got or passed.
func TestMetadataIsCopied(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		given := map[string]string{"at": "10.0.0.1"}
		setMetadata := func(_ *process, o *elector.Options) { o.Metadata = given }
		a := tc.begin("a", setMetadata)
		given["at"] = "changed by the caller"
		a.leads()
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		time.Sleep(tc.config.CandidateTimeout)
		for _, p := range []*process{a, b} {
			leader, ok := p.Leader()
			require.True(tc, ok)
			leader.Metadata["at"] = "changed by a reader"
			state := p.ClusterState()
			state.Voters[0].Metadata["at"] = "changed by a reader"
			leader, _ = p.Leader()
			require.Equal(tc, "10.0.0.1", leader.Metadata["at"], p.id)
			state = p.ClusterState()
			require.Equal(tc, "10.0.0.1", state.Voters[0].Metadata["at"], p.id)
		}
		given = map[string]string{"at": "10.0.0.2"}
		require.NoError(tc, a.SetMetadata(given))
		given["at"] = "changed by the caller"
		time.Sleep(lease)
		require.Equal(tc, "10.0.0.2", tc.candidate("a").Metadata["at"])
	})
}

// OnNewLeader is not called for a successor that has not accepted.
func TestNewLeaderHasAccepted(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		leaders := make(chan elector.LeaderInfo, 100)
		tc.begin("a").leads()
		tc.begin("b").enters(elector.StateFollower)
		tc.begin("c", callbacks(func(c *elector.Callbacks) {
			c.OnNewLeader = func(_ context.Context, l elector.LeaderInfo) { leaders <- l }
		})).enters(elector.StateFollower)
		time.Sleep(lease)
		tc.before(of("b", hang))
		require.NoError(tc, tc.transfer("b"))
		tc.until("handed over", func(l election.LeaderRecord) bool { return l.ID == "b" && !l.Accepted })
		tc.until("held by another candidate", func(l election.LeaderRecord) bool { return l.Term > 2 && l.Accepted })
		time.Sleep(heartbeat)
		tc.before(nil)
		var ids []string
		for len(leaders) > 0 {
			l := <-leaders
			require.True(tc, l.Accepted)
			ids = append(ids, l.ID)
		}
		require.NotContains(tc, ids, "b")
		require.Greater(tc, len(ids), 1)
	})
}
