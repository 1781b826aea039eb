package probe_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/probe"
)

// newProbe returns a probe in virtual time, and its log.
func newProbe(check probe.Check) (*probe.Probe, *bytes.Buffer) {
	var log bytes.Buffer
	options := &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}
	return &probe.Probe{
		Check: check, Timeout: time.Second, Thresholds: probe.Thresholds{Success: 2, Failure: 2},
		Clock: clitest.Virtual{}, Log: slog.New(slog.NewTextHandler(&log, options)),
	}, &log
}

// The log has the first verdict and each change. Other failures are at the debug level.
func TestProbeLogsChanges(t *testing.T) {
	var result error
	p, log := newProbe(func(context.Context) error { return result })
	for _, result = range []error{
		errors.New("one"), errors.New("two"), nil, nil, nil, errors.New("three"), nil, errors.New("four"), errors.New("five"),
	} {
		_ = p.Ready(t.Context())
	}
	require.Equal(t, []string{
		`level=WARN msg="not ready to lead" reason=one`,
		`level=DEBUG msg="readiness check failed" in_a_row=2 reason=two`,
		`level=INFO msg="ready to lead"`,
		`level=DEBUG msg="readiness check failed" in_a_row=1 reason=three`,
		`level=DEBUG msg="readiness check failed" in_a_row=1 reason=four`,
		`level=WARN msg="not ready to lead" reason=five`,
	}, strings.Split(strings.TrimSpace(log.String()), "\n"))
}

// A check that takes longer than the timeout is told to end.
func TestProbeTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newProbe(func(ctx context.Context) error {
			<-ctx.Done()
			return errors.New("late")
		})
		begin := time.Now()
		require.EqualError(t, p.Ready(t.Context()), "late")
		require.Equal(t, time.Second, time.Since(begin))
	})
}

// A check that was interrupted because run ends does not count.
func TestInterruptedCheckDoesNotCount(t *testing.T) {
	var result error
	p, log := newProbe(func(context.Context) error { return result })
	p.Thresholds = probe.Thresholds{Success: 1, Failure: 1}
	require.NoError(t, p.Ready(t.Context()))
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("run ends"))
	result = errors.New("interrupted")
	require.EqualError(t, p.Ready(ended), "run ends")
	require.NotContains(t, log.String(), "not ready")
	result = nil
	require.NoError(t, p.Ready(t.Context()))
	require.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
}

// After Close no check runs, and none is started.
func TestClosedProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		checks, running := 0, false
		p, _ := newProbe(func(ctx context.Context) error {
			checks++
			running = true
			<-ctx.Done()
			running = false
			return ctx.Err()
		})
		p.Timeout = time.Hour
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = p.Ready(ctx) }()
		synctest.Wait()
		require.True(t, running)
		cancel()
		p.Close()
		require.False(t, running)
		require.ErrorContains(t, p.Ready(t.Context()), "not checked any more")
		require.Equal(t, 1, checks)
	})
}
