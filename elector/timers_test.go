package elector_test

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/elector"
)

// countedClock counts the timers that are still to fire.
type countedClock struct {
	elector.Clock
	mu   sync.Mutex
	open int
}

// countedTimer is a timer of a countedClock.
type countedTimer struct {
	elector.Timer
	clock *countedClock
	open  bool // guarded by the clock
}

func (c *countedClock) AfterFunc(d time.Duration, f func()) elector.Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := &countedTimer{clock: c, open: true}
	c.open++
	t.Timer = c.Clock.AfterFunc(d, func() {
		c.mu.Lock()
		t.set(false)
		c.mu.Unlock()
		f()
	})
	return t
}

// set counts whether the timer is to fire. The clock is locked.
func (t *countedTimer) set(open bool) {
	switch {
	case open && !t.open:
		t.clock.open++
	case !open && t.open:
		t.clock.open--
	}
	t.open = open
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

func (c *countedClock) left() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.open
}

// An elector that has ended leaves no timer behind, which would keep its session in
// memory, whatever it was doing.
func TestNoTimerIsLeftBehind(t *testing.T) {
	for name, end := range map[string]func(w *world, p *process){
		"stopped":   func(_ *world, p *process) { p.stop() },
		"abandoned": func(_ *world, p *process) { p.Abandon() },
		"lost before": func(w *world, p *process) {
			w.before(of("a", fail(errDisk)))
			p.enters(elector.StateCandidate)
			w.before(nil)
			p.stop()
		},
		"lost and abandoned": func(w *world, p *process) {
			w.before(of("a", hang))
			p.enters(elector.StateCandidate)
			p.Abandon()
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				clock := &countedClock{Clock: newSkewedClock()}
				p := w.process("a", func(_ *process, o *elector.Options) { o.Clock = clock })
				p.run(w.Context(), untilAsked)
				p.leads()
				time.Sleep(lease)
				require.Positive(w, clock.left())
				end(w, p)
				_ = within(w, p.result, "its end")
				time.Sleep(heartbeat) // the last operations end
				require.Zero(w, clock.left())
			})
		})
	}
}

// A machine that slept finds out soon after it wakes, without being asked: a timer does
// not count the time that it slept.
func TestContextEndsSoonAfterASuspension(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.process("a")
		lead := within(w, p.tenures(nil), "leadership")
		ballot := w.seat().Ballot
		for w.seat().Ballot == ballot {
			time.Sleep(time.Millisecond)
		}
		p.clock.suspend(2 * lease)
		woken := time.Now()
		<-lead.Context().Done()
		require.LessOrEqual(w, time.Since(woken), lease/10+soon, "before the next renewal is due")
	})
}
