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

func address(text string) map[string]string { return map[string]string{"addr": text} }

// A change of the metadata of the leader reaches a follower, a subscriber and the leader itself
// at once, each once. It is not a new tenure, and a renewal without a change sends nothing.
func TestMetadataByPush(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		changes, tenures := make(chan elector.LeaderInfo, 100), make(chan elector.LeaderInfo, 100)
		a := tc.begin("a", func(_ *process, o *elector.Options) { o.Metadata = address("1") })
		a.leads()
		b := tc.begin("b", callbacks(func(c *elector.Callbacks) {
			c.OnLeadershipChange = func(_ context.Context, l elector.LeaderInfo) { changes <- l }
			c.OnNewLeader = func(_ context.Context, l elector.LeaderInfo) { tenures <- l }
		}))
		b.enters(elector.StateFollower)
		subscriptions := []<-chan elector.LeaderInfo{changes, a.Subscribe(tc.Context()), tc.process("o").Subscribe(tc.Context())}
		for _, s := range subscriptions {
			require.Equal(tc, "1", within(tc, s, "the leader").Metadata["addr"])
		}
		within(tc, tenures, "the tenure")
		for _, text := range []string{"2", "3", "4"} {
			time.Sleep(2*heartbeat + 7*time.Millisecond)
			changed := time.Now()
			require.NoError(tc, a.SetMetadata(address(text)))
			for _, s := range subscriptions {
				l := within(tc, s, "the new metadata")
				require.Equal(tc, text, l.Metadata["addr"])
				require.Equal(tc, uint64(1), l.Term)
				require.LessOrEqual(tc, time.Since(changed), soon)
			}
			leader, _ := b.Leader()
			require.Equal(tc, text, leader.Metadata["addr"])
		}
		require.NoError(tc, b.SetMetadata(address("of a follower")))
		a.SetPriority(7)
		for _, s := range append(subscriptions, tenures) {
			noneWithin(tc, s, 2*lease)
		}
		require.Equal(tc, []elector.State{elector.StateCandidate, elector.StateFollower}, b.history())
	})
}

// If watches are lost, a list finds the change.
func TestMetadataWithoutWatches(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		a.leads()
		leaders := tc.process("o", withoutTransitions).Subscribe(tc.Context())
		within(tc, leaders, "the leader")
		tc.loseWatches(true)
		require.NoError(tc, a.SetMetadata(address("2")))
		require.Equal(tc, "2", within(tc, leaders, "the new metadata").Metadata["addr"])
		noneWithin(tc, leaders, 2*tc.config.CandidateTimeout)
	})
}

// A change of metadata costs each other process one read, and the first in rank one cycle at
// most. It makes no fenced transaction retry.
func TestCostOfAChangeOfMetadata(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		const followers = 10
		a := tc.process("a")
		lead, err := a.Campaign(tc.Context())
		require.NoError(tc, err)
		for i := range followers {
			tc.begin(string(rune('b' + i))).enters(elector.StateFollower)
		}
		time.Sleep(2*heartbeat + 7*time.Millisecond)
		synctest.Wait()
		before, runs := tc.db.Counters(), 0
		require.NoError(tc, lead.Transact(tc.Context(), func(tr kv.Transaction) error {
			if runs++; runs == 1 {
				require.NoError(tc, a.SetMetadata(address("2")))
				synctest.Wait()
			}
			tr.Set([]byte("fenced"), nil)
			return nil
		}))
		require.Equal(tc, 1, runs)
		synctest.Wait()
		used := tc.db.Counters().Sub(before)
		require.LessOrEqual(tc, used.Commits, int64(3), "the fenced work, the renewal and a cycle of the first in rank")
		require.LessOrEqual(tc, used.ReadWaves, int64(2*followers+6))
		require.Zero(tc, used.Conflicts)
	})
}

// The acceptance of a hand-over is pushed as well.
func TestAcceptanceByPush(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		a.leads()
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		leaders := tc.process("o", withoutTransitions).Subscribe(tc.Context())
		within(tc, leaders, "the leader")
		time.Sleep(heartbeat + 7*time.Millisecond)
		require.NoError(tc, tc.transfer("b"))
		b.leads()
		led := time.Now()
		var seen elector.LeaderInfo
		for seen.ID != "b" || !seen.Accepted {
			seen = within(tc, leaders, "the successor")
		}
		require.LessOrEqual(tc, time.Since(led), soon)
	})
}

// An election in which a notice was removed or cannot be read goes on.
func TestRemovedNotices(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		a.leads()
		leaders := tc.process("o", withoutTransitions).Subscribe(tc.Context())
		within(tc, leaders, "the leader")
		prefix := tc.election.Subspace().Sub("notice").Bytes()
		tc.transact(func(tr kv.Transaction) error {
			tr.ClearRange(prefix, append(append([]byte{}, prefix...), 0xff))
			return nil
		})
		noneWithin(tc, leaders, 2*tc.config.CandidateTimeout)
		changed := time.Now()
		require.NoError(tc, a.SetMetadata(address("2")))
		require.Equal(tc, "2", within(tc, leaders, "the new metadata").Metadata["addr"])
		require.LessOrEqual(tc, time.Since(changed), soon)
		require.True(tc, tc.leader().HeldBy(tc.candidate("a").Identity))
		require.Equal(tc, []election.Candidate{tc.candidate("a")}, tc.candidates())
	})
}
