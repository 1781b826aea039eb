package elector_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// A leader keeps leadership even if every answer of the store takes longer than a heartbeat, as
// long as two renewals fit into a lease.
func TestThrottledStore(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		tc.config.HeartbeatInterval = lease / 6
		tc.before(delayed(tc.config.HeartbeatInterval + 10*time.Millisecond))
		a := tc.begin("a")
		a.leads()
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		time.Sleep(3 * lease) // the first claim reads more and may be too slow
		require.True(tc, a.Leading() || b.Leading())
		if b.Leading() {
			a, b = b, a
		}
		term := a.Term()
		for range 10 * 6 {
			time.Sleep(lease / 6)
			require.True(tc, a.Leading())
		}
		require.Equal(tc, a.NodeID(), b.LeaderID())
		require.Equal(tc, term, tc.leader().Term)
		tc.before(nil)
		a.stop()
		require.Equal(tc, term+1, b.leads().Term)
	})
}

// If a renewal takes longer than the lease lasts, there is no leader, and every process keeps
// trying. When the store is fast again, one of them leads.
func TestStoreSlowerThanTheLease(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		a.leads()
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		tc.before(delayed(stopAt))
		for range 20 {
			time.Sleep(lease)
			require.False(tc, a.Leading() && b.Leading())
		}
		tc.before(nil)
		recovered := time.Now()
		for !a.Leading() && !b.Leading() {
			require.Less(tc, time.Since(recovered), 2*lease)
			time.Sleep(step)
		}
	})
}

// Retryable errors are retried at once and change nothing.
func TestRetriedErrors(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		a.leads()
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		tc.before(everyFifth(1007, 1009, 1020, 1037, 1038, 1213, 1039))
		time.Sleep(20 * lease)
		require.True(tc, a.Leading())
		require.Equal(tc, uint64(1), tc.leader().Term)
		require.Equal(tc, a.NodeID(), b.LeaderID())
		tc.before(nil)
	})
}

// If the store does not answer in time, the error says so, whatever the error of the store.
func TestStoreDoesNotAnswer(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.begin("a")
		p.leads()
		for _, kind := range []memkv.CallKind{memkv.CallRead, memkv.CallCommit} {
			tc.before(on(kind, "a", func(ctx context.Context, _ *memkv.Call) error {
				<-ctx.Done()
				return kv.Error{Code: kv.CodeTransactionTimedOut}
			}))
			time.Sleep(lease)
			err := <-p.Errors()
			require.ErrorIs(tc, err, context.DeadlineExceeded)
			require.ErrorContains(tc, err, "did not answer in time")
			tc.before(nil)
			time.Sleep(lease)
			for len(p.Errors()) > 0 {
				require.Error(tc, <-p.Errors())
			}
		}
	})
}
