package elector_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// toggle is a readiness check that returns what was set last.
type toggle struct{ reason atomic.Pointer[string] }

func (c *toggle) set(reason string) { c.reason.Store(&reason) }

func (c *toggle) ready(context.Context) error {
	if reason := c.reason.Load(); reason != nil && *reason != "" {
		return errors.New(*reason)
	}
	return nil
}

// TestReadinessIsLogged: once when it changes, and a panic with its stack is an error too.
func TestReadinessIsLogged(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		var log journal
		check := &toggle{}
		p := tc.begin("a", ready(check.ready), logTo(&log, slog.LevelInfo))
		p.leads()
		check.set("cold")
		time.Sleep(5 * time.Second)
		check.set("colder")
		time.Sleep(5 * time.Second)
		check.set("")
		time.Sleep(5 * time.Second)
		var lines []string
		for _, line := range log.lines() {
			if strings.Contains(line, `msg="not ready"`) || strings.Contains(line, "msg=ready") {
				lines = append(lines, line)
			}
		}
		require.Len(tc, lines, 3, "%q", lines)
		require.Contains(tc, lines[0], "msg=ready")
		require.Contains(tc, lines[1], `msg="not ready"`)
		require.Contains(tc, lines[1], "reason=cold")
		require.Contains(tc, lines[2], "msg=ready")
		p.stop()
		require.Empty(tc, p.Errors())
	})
}

// TestReadinessFlips: each tenure that ends because the process is not ready doubles the
// hold-off. Its successor leads in peace.
func TestReadinessFlips(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		check := &toggle{}
		a := tc.begin("a", ready(check.ready), priority(5))
		a.leads()
		for i, leases := range []int{1, 2, 4} {
			check.set("cold")
			time.Sleep(2 * time.Second)
			require.False(tc, a.Leading())
			check.set("")
			lost := time.Now()
			a.leads()
			held := time.Since(lost) + 2*time.Second
			require.GreaterOrEqual(tc, held, time.Duration(leases)*lease)
			require.LessOrEqual(tc, held, time.Duration(leases)*lease+2*heartbeat)
			require.Equal(tc, i+1, a.ClusterState().Failures)
		}
		a.stop()
	})
}

// TestReadinessInEveryMode: Run, Start and Campaign check it, and Subscribe does not.
func TestReadinessInEveryMode(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		var calls atomic.Int64
		count := ready(func(context.Context) error { calls.Add(1); return nil })
		subscriber := tc.process("s", count)
		ctx, stop := context.WithCancel(tc.Context())
		subscriber.Subscribe(ctx)
		time.Sleep(10 * time.Second)
		require.Zero(tc, calls.Load())
		stop()

		p := tc.process("a", count)
		for range 3 { // a new session each time
			calls.Store(0)
			lead, err := p.Campaign(tc.Context())
			require.NoError(tc, err)
			time.Sleep(10*time.Second + time.Second/2) // not at the instant of a check
			require.NoError(tc, lead.Resign(tc.Context()))
			p.stop()
			n := calls.Load()
			require.InDelta(tc, 11, n, 1)
			time.Sleep(10 * time.Second)
			require.Equal(tc, n, calls.Load(), "it ends with the session")
		}
	})
}
