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

// foundationdb-rs gave watches up because one that failed at once became a hot
// loop: here a watch that always fails, or always fires, is armed at a limited
// rate, and costs no writes (foundationdb-rs).
func TestErroringWatchIsNoHotLoop(t *testing.T) {
	const beats = 10
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
			inWorld(t, func(w *world) {
				armed := w.disturbWatches(test.before, test.after)
				w.begin("a").leads()
				b := w.begin("b")
				b.enters(elector.StateFollower)
				commits := len(w.db.CommitLog())
				time.Sleep(beats * heartbeat)
				require.Positive(w, armed.of("b"))
				require.LessOrEqual(w, armed.of("b"), (beats+2)*test.perHeartbeat)
				require.LessOrEqual(w, armed.of("a"), 2*(beats+2)*test.perHeartbeat)
				require.LessOrEqual(w, len(w.db.CommitLog())-commits, 2*beats)
				require.Equal(w, uint64(1), w.seat().Term)
				w.before(nil)
				w.after(nil)
			})
		})
	}
}

// disturbWatches puts a fault before and after each watch is armed, and counts how
// often that is.
func (w *world) disturbWatches(before, after hook) *counter {
	var armed counter
	count := armed.hook(memkv.CallWatch)
	w.before(func(ctx context.Context, c *memkv.Call) error {
		_ = count(ctx, c)
		if before == nil || c.Kind != memkv.CallWatch {
			return nil
		}
		return before(ctx, c)
	})
	w.after(func(ctx context.Context, c *memkv.Call) error {
		if after == nil || c.Kind != memkv.CallWatch {
			return nil
		}
		return after(ctx, c)
	})
	return &armed
}

// notifyAfter ends every watch a moment after it was armed.
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

// A watch that never fires costs time and nothing else: there is a timer beside
// it.
func TestLostWatches(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.begin("a")
		a.leads()
		b := w.begin("b")
		b.enters(elector.StateFollower)
		time.Sleep(heartbeat / 2)
		w.loseWatches(true)
		w.transact(func(tr kv.Transaction) error { return w.election.RequestResign(tr, 1, nonce(1)) })
		asked := time.Now()
		b.leads()
		require.LessOrEqual(w, time.Since(asked), 2*heartbeat+2*step)
	})
}

// A seat that somebody vacated by force is noticed by the watch at once, and
// claimed again only in a new tenure, once the work of the old one has ended.
func TestSeatIsTakenAway(t *testing.T) {
	for name, lose := range map[string]bool{"the watch tells": false, "the next renewal tells": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				hold := make(chan struct{})
				p := w.process("a")
				tenures := p.tenures(hold)
				first := within(w, tenures, "leadership")
				time.Sleep(heartbeat / 2)
				w.loseWatches(lose)
				w.transact(func(tr kv.Transaction) error {
					return w.election.ResignLeadership(tr, first.Token(), time.Now())
				})
				lost := time.Now()
				<-first.LeaseContext().Done()
				require.Error(w, first.Context().Err())
				require.Less(w, time.Since(lost), map[bool]time.Duration{false: soon, true: heartbeat}[lose])
				time.Sleep(2 * lease)
				require.True(w, w.seat().Vacant())
				close(hold)
				require.Equal(w, uint64(2), within(w, tenures, "another leadership").Term())
			})
		})
	}
}

// foundationdb-rs dropped priorities, candidates and configuration because they
// were not sound: a higher priority must not take the seat twice or lose it again,
// a dead candidate must go, and a config must reach everybody (foundationdb-rs).
func TestPrioritiesCandidatesAndConfigAreSound(t *testing.T) {
	inWorld(t, func(w *world) {
		var all []*process
		for i, id := range []string{"a", "b", "c", "d"} {
			all = append(all, w.begin(id, priority(int32(i))))
			time.Sleep(lease)
		}
		require.True(w, all[3].believes())
		require.Equal(w, uint64(4), w.seat().Term, "each of them was taken over from once")
		all[3].Abandon()
		time.Sleep(2*lease + w.config.CandidateTimeout)
		require.True(w, all[2].believes(), "the next in rank")
		term := w.seat().Term // who saw the silence first may have come before it
		require.LessOrEqual(w, term, uint64(7))
		time.Sleep(w.config.CandidateTimeout)
		require.False(w, w.listed("d"))

		w.reconfigure(func(c *fdbelection.Config) { c.AllowPreemption = false })
		time.Sleep(heartbeat)
		w.begin("e", priority(9)).enters(elector.StateFollower)
		time.Sleep(5 * lease)
		require.Equal(w, term, w.seat().Term)
		for _, p := range all[:3] {
			require.False(w, p.ClusterState().Config.AllowPreemption)
			require.Len(w, p.ClusterState().Voters, 4)
		}
	})
}

// A crash is noticed after the lease was seen to stand still, and within a tenth
// of a heartbeat of that, whenever it happens between two renewals.
func TestTakeOverAfterCrash(t *testing.T) {
	for tenth := range 10 {
		inWorld(t, func(w *world) {
			first := w.begin("a")
			first.leads()
			time.Sleep(step / 3)
			w.begin("b")
			w.begin("c")
			time.Sleep(5*heartbeat + time.Duration(tenth)*heartbeat/10)
			last := w.seat()
			first.Abandon()
			renewed := last.LeaseExpiry.Add(-last.LeaseDuration)
			next := w.until("another's", func(l election.LeaderRecord) bool { return l.Token() != last.Token() })
			silence := next.AcquiredAt.Sub(renewed)
			require.GreaterOrEqual(w, silence, lease, "before the lease was over")
			require.LessOrEqual(w, silence, lease+heartbeat/10+5*time.Millisecond)
			require.Equal(w, election.AcquireExpiry, next.AcquireReason)
		})
	}
}

// A request that comes while a renewal is under way, which has not seen it, does
// not wait for the next one.
func TestRequestDuringRenewal(t *testing.T) {
	inWorld(t, func(w *world) {
		w.begin("a").leads()
		b := w.begin("b")
		b.enters(elector.StateFollower)
		time.Sleep(heartbeat / 2)
		renewing, release := make(chan struct{}), make(chan struct{})
		var held atomic.Bool
		w.before(on(memkv.CallCommit, "a", func(context.Context, *memkv.Call) error {
			if !held.Swap(true) {
				close(renewing)
				<-release
			}
			return nil
		}))
		<-renewing
		w.transact(func(tr kv.Transaction) error { return w.election.RequestResign(tr, 1, nonce(1)) })
		time.Sleep(time.Millisecond) // the watch has told
		close(release)
		released := time.Now()
		b.leads()
		require.Less(w, time.Since(released), step+soon)
	})
}
