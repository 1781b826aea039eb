package elector_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// foundationdb-rs stopped using watches because a watch that failed at once became a hot loop.
// Here a watch that always fails or fires is armed at a limited rate and causes no writes.
func TestFailingWatchBacksOff(t *testing.T) {
	const heartbeats = 10
	for name, test := range map[string]struct {
		before, after hook
		perHeartbeat  int // of each watch
	}{
		"fails":         {before: fail(kv.Error{Code: kv.CodeTooManyWatches}), perHeartbeat: 1},
		"hangs":         {before: hang, perHeartbeat: 1},
		"fails later":   {after: notifyAfter(kv.Error{Code: kv.CodeClusterVersionChanged}), perHeartbeat: 1},
		"always fires":  {after: notifyAfter(nil), perHeartbeat: int(heartbeat / step)},
		"fires at once": {after: notifyNow, perHeartbeat: int(heartbeat / step)},
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				armed := tc.disturbWatches(test.before, test.after)
				tc.begin("a").leads()
				b := tc.begin("b")
				b.enters(elector.StateFollower)
				commits := len(tc.db.CommitLog())
				time.Sleep(heartbeats * heartbeat)
				require.Positive(tc, armed.of("b"))
				require.LessOrEqual(tc, armed.of("b"), (heartbeats+2)*test.perHeartbeat)
				require.LessOrEqual(tc, armed.of("a"), 2*(heartbeats+2)*test.perHeartbeat)
				require.LessOrEqual(tc, len(tc.db.CommitLog())-commits, 2*heartbeats)
				require.Equal(tc, uint64(1), tc.leader().Term)
				tc.before(nil)
				tc.after(nil)
			})
		})
	}
}

// disturbWatches sets hooks before and after each arming of a watch, and counts the armings.
func (tc *cluster) disturbWatches(before, after hook) *counter {
	var armed counter
	count := armed.hook(memkv.CallWatch)
	tc.before(func(ctx context.Context, c *memkv.Call) error {
		_ = count(ctx, c)
		if before == nil || c.Kind != memkv.CallWatch {
			return nil
		}
		return before(ctx, c)
	})
	tc.after(func(ctx context.Context, c *memkv.Call) error {
		if after == nil || c.Kind != memkv.CallWatch {
			return nil
		}
		return after(ctx, c)
	})
	return &armed
}

// notifyAfter ends every watch a microsecond after it was armed.
func notifyAfter(err error) hook {
	return func(_ context.Context, c *memkv.Call) error {
		watch := c.Watch
		time.AfterFunc(time.Microsecond, func() { watch.Notify(err) })
		return nil
	}
}

func notifyNow(_ context.Context, c *memkv.Call) error {
	c.Watch.Notify(nil)
	return nil
}

// If watches never fire, changes are noticed later, by polling.
func TestLostWatches(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		a.leads()
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		time.Sleep(heartbeat / 2)
		tc.loseWatches(true)
		tc.transact(func(tr kv.Transaction) error { return tc.election.RequestResign(tr, 1, nonce(1)) })
		requested := time.Now()
		b.leads()
		require.LessOrEqual(tc, time.Since(requested), 2*heartbeat+2*step)
	})
}

// A watch notices at once that leadership was vacated by force. The process claims again in a
// new tenure, after the work of the old one has returned.
func TestForcedResignation(t *testing.T) {
	for name, lose := range map[string]bool{"a watch notices": false, "the next renewal notices": true} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				hold := make(chan struct{})
				p := tc.process("a")
				tenures := p.tenures(hold)
				first := within(tc, tenures, "leadership")
				time.Sleep(heartbeat / 2)
				tc.loseWatches(lose)
				tc.transact(func(tr kv.Transaction) error {
					return tc.election.ResignLeadership(tr, first.Token(), time.Now())
				})
				lost := time.Now()
				<-first.LeaseContext().Done()
				require.Error(tc, first.Context().Err())
				require.Less(tc, time.Since(lost), map[bool]time.Duration{false: soon, true: heartbeat}[lose])
				time.Sleep(2 * lease)
				require.True(tc, tc.leader().Vacant())
				close(hold)
				require.Equal(tc, uint64(2), within(tc, tenures, "the next leadership").Term())
			})
		})
	}
}

// foundationdb-rs dropped priorities, candidates and configuration because they were not sound.
// Here a higher priority takes leadership once and keeps it, a crashed candidate is evicted, and
// every process gets the config.
func TestPrioritiesCandidatesAndConfigAreSound(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		var all []*process
		for i, id := range []string{"a", "b", "c", "d"} {
			all = append(all, tc.begin(id, priority(int32(i))))
			time.Sleep(lease)
		}
		require.True(tc, all[3].Leading())
		require.Equal(tc, uint64(4), tc.leader().Term, "each was preempted once")
		all[3].Abandon()
		time.Sleep(2*lease + tc.config.CandidateTimeout)
		require.True(tc, all[2].Leading(), "the next in rank")
		term := tc.leader().Term // another candidate may have claimed before it
		require.LessOrEqual(tc, term, uint64(7))
		time.Sleep(tc.config.CandidateTimeout)
		require.False(tc, tc.listed("d"))

		tc.reconfigure(func(c *fdbelection.Config) { c.AllowPreemption = false })
		time.Sleep(heartbeat)
		tc.begin("e", priority(9)).enters(elector.StateFollower)
		time.Sleep(5 * lease)
		require.Equal(tc, term, tc.leader().Term)
		for _, p := range all[:3] {
			require.False(tc, p.ClusterState().Config.AllowPreemption)
			require.Len(tc, p.ClusterState().Voters, 4)
		}
	})
}

// A follower claims after it has seen the leader record unchanged for a lease, and within a tenth
// of a heartbeat after that, wherever the crash lies between two renewals.
func TestCrashIsNoticedAfterTheLease(t *testing.T) {
	for tenth := range 10 {
		inCluster(t, func(tc *cluster) {
			first := tc.begin("a")
			first.leads()
			time.Sleep(step / 3)
			tc.begin("b")
			tc.begin("c")
			time.Sleep(5*heartbeat + time.Duration(tenth)*heartbeat/10)
			last := tc.leader()
			first.Abandon()
			renewed := last.LeaseExpiry.Add(-last.LeaseDuration)
			next := tc.until("held by another candidate", func(l election.LeaderRecord) bool { return l.Token() != last.Token() })
			unchanged := next.AcquiredAt.Sub(renewed)
			require.GreaterOrEqual(tc, unchanged, lease, "before the lease had expired")
			require.LessOrEqual(tc, unchanged, lease+heartbeat/10+5*time.Millisecond)
			require.Equal(tc, election.AcquireExpiry, next.AcquireReason)
		})
	}
}

// A request that comes while a renewal is under way does not wait for the next renewal.
func TestRequestDuringRenewal(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		tc.begin("a").leads()
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		time.Sleep(heartbeat / 2)
		renewing, release := make(chan struct{}), make(chan struct{})
		var held atomic.Bool
		tc.before(on(memkv.CallCommit, "a", func(context.Context, *memkv.Call) error {
			if !held.Swap(true) {
				close(renewing)
				<-release
			}
			return nil
		}))
		<-renewing
		tc.transact(func(tr kv.Transaction) error { return tc.election.RequestResign(tr, 1, nonce(1)) })
		time.Sleep(time.Millisecond) // the watch has fired
		close(release)
		released := time.Now()
		b.leads()
		require.Less(tc, time.Since(released), step+soon)
	})
}
