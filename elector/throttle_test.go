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

// A store whose every answer takes longer than a heartbeat is survived, for as
// long as two renewals fit into a lease.
func TestThrottledStore(t *testing.T) {
	inWorld(t, func(w *world) {
		w.config.HeartbeatInterval = lease / 6
		w.before(delayed(w.config.HeartbeatInterval + 10*time.Millisecond))
		a := w.begin("a")
		a.leads()
		b := w.begin("b")
		b.enters(elector.StateFollower)
		time.Sleep(3 * lease) // the first claim of all reads more, and may be too slow to keep
		require.True(w, a.believes() || b.believes())
		if b.believes() {
			a, b = b, a
		}
		term := a.Term()
		for range 10 * 6 {
			time.Sleep(lease / 6)
			require.True(w, a.believes())
		}
		require.Equal(w, a.NodeID(), b.LeaderID())
		require.Equal(w, term, w.seat().Term)
		w.before(nil)
		a.stop()
		require.Equal(w, term+1, b.leads().Term)
	})
}

// Where even one renewal takes longer than belief lasts, nobody leads, and nobody
// gives up: once the store has recovered, somebody does.
func TestStoreSlowerThanTheLease(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.begin("a")
		a.leads()
		b := w.begin("b")
		b.enters(elector.StateFollower)
		w.before(delayed(stopAt))
		for range 20 {
			time.Sleep(lease)
			require.False(w, a.believes() && b.believes())
		}
		w.before(nil)
		recovered := time.Now()
		for !a.believes() && !b.believes() {
			require.Less(w, time.Since(recovered), 2*lease)
			time.Sleep(step)
		}
	})
}

// Answers that conflict or are not ready are tried again at once, and change
// nothing.
func TestRetriedErrors(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.begin("a")
		a.leads()
		b := w.begin("b")
		b.enters(elector.StateFollower)
		w.before(everyFifth(1007, 1009, 1020, 1037, 1038, 1213, 1039))
		time.Sleep(20 * lease)
		require.True(w, a.believes())
		require.Equal(w, uint64(1), w.seat().Term)
		require.Equal(w, a.NodeID(), b.LeaderID())
		w.before(nil)
	})
}

// A store that does not answer is told as such, whatever its error says.
func TestStoreDoesNotAnswer(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.begin("a")
		p.leads()
		for _, kind := range []memkv.CallKind{memkv.CallRead, memkv.CallCommit} {
			w.before(on(kind, "a", func(ctx context.Context, _ *memkv.Call) error {
				<-ctx.Done()
				return kv.Error{Code: kv.CodeTransactionTimedOut}
			}))
			time.Sleep(lease)
			err := <-p.Errors()
			require.ErrorIs(w, err, context.DeadlineExceeded)
			require.ErrorContains(w, err, "did not answer in time")
			w.before(nil)
			time.Sleep(lease)
			for len(p.Errors()) > 0 {
				require.Error(w, <-p.Errors())
			}
		}
	})
}
