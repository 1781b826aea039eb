//go:build unix

package supervise

import (
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/elector"
)

// steppedClock stands still until a test moves it.
type steppedClock struct {
	elector.Clock
	mu     sync.Mutex
	now    time.Time
	timers []steppedTimer
}

type steppedTimer struct {
	at time.Time
	f  func()
}

func (c *steppedClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *steppedClock) AfterFunc(d time.Duration, f func()) elector.Timer {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timers = append(c.timers, steppedTimer{c.now.Add(d), f})
	return nil
}

// pass lets time pass, and calls the timers that are due.
func (c *steppedClock) pass(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	timers := c.timers
	c.timers = nil
	now := c.now
	c.mu.Unlock()
	for _, timer := range timers {
		if timer.at.After(now) {
			c.mu.Lock()
			c.timers = append(c.timers, timer)
			c.mu.Unlock()
		} else {
			timer.f()
		}
	}
}

// A guard that was stopped before it has started the command does not keep this process leading
// without its work. It has time for as long as it reports anything.
func TestGuardThatHangsBeforeItsCommand(t *testing.T) {
	t.Parallel()
	clock := &steppedClock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	c := &Command{Args: []string{"sleep", "1000"}, GuardArgs: []string{"stuck"}, Clock: clock, Log: slog.New(slog.DiscardHandler)}
	g, err := c.startGuard(nil, nil)
	require.NoError(t, err)
	started, err := g.start("s", startOrder{}, c.Log)
	require.NoError(t, err)
	g.reported(report{verb: reportStarted, child: started.number, number: 1 << 30})
	hanging, err := g.start("s", startOrder{}, c.Log)
	require.NoError(t, err)
	clock.pass(startTimeout - 1)
	g.reported(report{verb: reportKilled, child: started.number})
	clock.pass(startTimeout - 1)
	require.Empty(t, hanging.done(), "the guard has reported a moment ago")
	require.True(t, g.alive())
	clock.pass(startTimeout)
	end := <-hanging.done()
	require.Zero(t, end.pid)
	require.False(t, end.unguarded)
	require.EqualError(t, end.err,
		`command "sleep" could not be started: its guard did not start it within 10s; the guard was stopped, or the machine is overloaded`)
	other := <-started.done()
	require.True(t, other.unguarded)
	require.ErrorContains(t, other.err, "its guard was killed")
	<-g.gone
}
