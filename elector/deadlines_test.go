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

// deadlineLog records what SubscribeDeadlines sends.
type deadlineLog struct {
	mu  sync.Mutex
	all []elector.Deadlines
}

func (d *deadlineLog) add(next elector.Deadlines) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, next)
}

func (d *deadlineLog) last() elector.Deadlines {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.all[len(d.all)-1]
}

func (d *deadlineLog) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.all)
}

// deadlinesFrom returns the deadlines of an attempt that writes the lease of these tests.
func (p *process) deadlinesFrom(attempt time.Time) elector.Deadlines {
	start := p.clock.Now().Add(-time.Since(attempt))
	return elector.Deadlines{Stop: start.Add(stopAt), End: start.Add(endAt)}
}

// The deadlines count from the start of the last acknowledged renewal, however late its answer
// comes. Each is sent once.
func TestSubscribeDeadlines(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		tenures := p.tenures(nil)
		lead := within(tc, tenures, "leadership")
		var d deadlineLog
		unsubscribe := lead.SubscribeDeadlines(d.add)
		require.Equal(tc, p.deadlinesFrom(tc.start), d.last())
		require.Equal(tc, d.last(), lead.Deadlines())

		tc.after(on(memkv.CallCommit, "a", func(context.Context, *memkv.Call) error {
			time.Sleep(heartbeat / 4) // a slow answer
			return nil
		}))
		time.Sleep(heartbeat + heartbeat/2)
		require.Equal(tc, p.deadlinesFrom(tc.start.Add(heartbeat)), d.last())
		require.Equal(tc, d.last(), lead.Deadlines())
		require.Equal(tc, 2, d.count(), "each is sent once")

		unsubscribe()
		time.Sleep(heartbeat)
		require.Equal(tc, 2, d.count(), "nothing is sent after unsubscribe")
		require.True(tc, lead.Deadlines().End.After(d.last().End), "the lease was renewed")
		tc.after(nil)
	})
}

// A shorter lease moves the deadlines. They are sent before that lease is committed, so that
// a guard outside the process knows them in time.
func TestShorterDeadlineIsSentBeforeItsCommit(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		lead := within(tc, p.tenures(nil), "leadership")
		var d deadlineLog
		defer lead.SubscribeDeadlines(d.add)()
		time.Sleep(heartbeat / 2) // the watches are armed
		tc.reconfigure(func(c *fdbelection.Config) { c.LeaseDuration, c.HeartbeatInterval = lease/10, lease/30 })
		issued := make(chan elector.Deadlines, 1)
		tc.before(on(memkv.CallCommit, "a", func(context.Context, *memkv.Call) error {
			select {
			case issued <- d.last():
			default:
			}
			return nil
		}))
		sent := within(tc, issued, "a renewal")
		require.Equal(tc, time.Until(tc.start.Add(heartbeat+endAt/10)), sent.End.Sub(p.clock.Now()))
		tc.before(nil)
	})
}
