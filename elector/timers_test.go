package elector_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/elector"
)

// countedClock counts the pending timers.
type countedClock struct {
	elector.Clock
	mu      sync.Mutex
	pending int
}

// countedTimer is a timer of a countedClock.
type countedTimer struct {
	elector.Timer
	clock   *countedClock
	pending bool // guarded by the clock
}

func (c *countedClock) AfterFunc(d time.Duration, f func()) elector.Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &countedTimer{clock: c, pending: true}
	c.pending++
	t.Timer = c.Clock.AfterFunc(d, func() {
		c.mu.Lock()
		t.set(false)
		c.mu.Unlock()
		f()
	})
	return t
}

// set changes whether the timer is pending. The caller holds the lock of the clock.
func (t *countedTimer) set(pending bool) {
	switch {
	case pending && !t.pending:
		t.clock.pending++
	case !pending && t.pending:
		t.clock.pending--
	}
	t.pending = pending
}

func (t *countedTimer) Stop() bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	t.set(false)
	return t.Timer.Stop()
}

func (t *countedTimer) Reset(d time.Duration) bool {
	t.clock.mu.Lock()
	defer t.clock.mu.Unlock()
	t.set(true)
	return t.Timer.Reset(d)
}

func (c *countedClock) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pending
}

// An elector that has ended leaves no timer behind. A timer would keep its session in memory.
func TestNoTimerIsLeftBehind(t *testing.T) {
	for name, end := range map[string]func(tc *cluster, p *process){
		"stopped":   func(_ *cluster, p *process) { p.stop() },
		"abandoned": func(_ *cluster, p *process) { p.Abandon() },
		"lost before": func(tc *cluster, p *process) {
			tc.before(of("a", fail(errDisk)))
			p.enters(elector.StateCandidate)
			tc.before(nil)
			p.stop()
		},
		"lost and abandoned": func(tc *cluster, p *process) {
			tc.before(of("a", hang))
			p.enters(elector.StateCandidate)
			p.Abandon()
		},
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				clock := &countedClock{Clock: newSkewedClock()}
				p := tc.process("a", func(_ *process, o *elector.Options) { o.Clock = clock })
				p.run(tc.Context(), untilStopped)
				p.leads()
				time.Sleep(lease)
				require.Positive(tc, clock.count())
				end(tc, p)
				_ = within(tc, p.result, "the end of Run")
				time.Sleep(heartbeat) // the last operations end
				require.Zero(tc, clock.count())
			})
		})
	}
}

// The context of a leadership ends soon after a suspension of the machine, even if no method is
// called. A timer does not count the time of the suspension.
func TestContextEndsSoonAfterASuspension(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		lead := within(tc, p.tenures(nil), "leadership")
		ballot := tc.leader().Ballot
		for tc.leader().Ballot == ballot {
			time.Sleep(time.Millisecond)
		}
		p.clock.suspend(2 * lease)
		woken := time.Now()
		<-lead.Context().Done()
		require.LessOrEqual(tc, time.Since(woken), lease/10+soon, "before the next renewal is due")
	})
}
