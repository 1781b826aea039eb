package elector_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// told keeps what SubscribeDeadlines tells.
type told struct {
	mu  sync.Mutex
	all []elector.Deadlines
}

func (d *told) add(next elector.Deadlines) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, next)
}

func (d *told) last() elector.Deadlines {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.all[len(d.all)-1]
}

func (d *told) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.all)
}

// deadlinesFrom are those of an attempt that writes the lease of these tests.
func (p *process) deadlinesFrom(attempt time.Time) elector.Deadlines {
	start := p.clock.Now().Add(-time.Since(attempt))
	return elector.Deadlines{Stop: start.Add(stopAt), End: start.Add(endAt)}
}

// The deadlines count from the start of the renewal that was acknowledged last,
// however late its answer came, and each is told once.
func TestSubscribeDeadlines(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		tenures := p.tenures(nil)
		lead := within(tc, tenures, "leadership")
		var d told
		unfollow := lead.SubscribeDeadlines(d.add)
		require.Equal(tc, p.deadlinesFrom(tc.start), d.last())
		require.Equal(tc, d.last(), lead.Deadlines())

		tc.after(on(memkv.CallCommit, "a", func(context.Context, *memkv.Call) error {
			time.Sleep(heartbeat / 4) // the answer is slow
			return nil
		}))
		time.Sleep(heartbeat + heartbeat/2)
		require.Equal(tc, p.deadlinesFrom(tc.start.Add(heartbeat)), d.last())
		require.Equal(tc, d.last(), lead.Deadlines())
		require.Equal(tc, 2, d.count(), "each is told once")

		unfollow()
		time.Sleep(heartbeat)
		require.Equal(tc, 2, d.count(), "it is told of nothing any more")
		require.True(tc, lead.Deadlines().End.After(d.last().End), "and the lease was renewed")
		tc.after(nil)
	})
}

// A deadline that a shorter lease brings nearer is told before that lease is
// committed: whoever keeps it elsewhere has it in time, whatever happens next.
func TestShorterDeadlineIsSentBeforeItsCommit(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		lead := within(tc, p.tenures(nil), "leadership")
		var d told
		defer lead.SubscribeDeadlines(d.add)()
		time.Sleep(heartbeat / 2) // its watches are armed
		tc.reconfigure(func(c *fdbelection.Config) { c.LeaseDuration, c.HeartbeatInterval = lease/10, lease/30 })
		issued := make(chan elector.Deadlines, 1)
		tc.before(on(memkv.CallCommit, "a", func(context.Context, *memkv.Call) error {
			select {
			case issued <- d.last():
			default:
			}
			return nil
		}))
		told := within(tc, issued, "a renewal")
		require.Equal(tc, time.Until(tc.start.Add(heartbeat+endAt/10)), told.End.Sub(p.clock.Now()))
		tc.before(nil)
	})
}
