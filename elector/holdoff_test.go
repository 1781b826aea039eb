package elector_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/elector"
)

// A process of higher priority whose work fails does not take leadership back for ever. It
// holds off for longer after each failure and logs that. It stays registered all the time.
func TestPreferredWorkFails(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		var log journal
		b := tc.begin("b")
		b.leads()
		a := tc.process("a", priority(5), logTo(&log, slog.LevelWarn))
		failed := make(chan time.Time, 1000)
		a.run(tc.Context(), func(context.Context, *elector.Leadership) error {
			failed <- time.Now()
			return errWork
		})
		var led time.Duration // by b, sampled once per second
		for range 3600 {
			time.Sleep(time.Second)
			if b.Leading() {
				led += time.Second
			}
		}
		t.Logf("%d terms in an hour", tc.leader().Term)
		require.LessOrEqual(tc, tc.leader().Term, uint64(2*(6+3600/(32*6))))
		require.Greater(tc, led, 50*time.Minute)
		require.True(tc, tc.listed("a"))

		state := a.ClusterState()
		require.Greater(tc, state.Failures, 6)
		require.Equal(tc, elector.DelayHoldOff, state.Delays[0].Rule)
		require.Zero(tc, b.ClusterState().Failures)
		var lines []string
		for _, line := range log.lines() {
			if strings.Contains(line, "holding off after a failed tenure") {
				lines = append(lines, line)
			}
		}
		require.Len(tc, lines, state.Failures)
		require.Len(tc, failed, state.Failures)
		for i, want := range []string{"duration=6s", "duration=12s", "duration=24s", "duration=48s", "duration=1m36s", "duration=3m12s", "duration=3m12s"} {
			require.Contains(tc, lines[i], want)
			require.Contains(tc, lines[i], "level=WARN")
			require.Contains(tc, lines[i], "node=a")
		}
		stored := tc.candidate("a").Delay
		require.Equal(tc, "hold-off", stored.Rule)
		require.WithinDuration(tc, state.Delays[0].Until, stored.Until, time.Second)
		time.Sleep(state.Delays[0].Until.Sub(a.clock.Now()) - time.Second)
		require.Len(tc, a.ClusterState().Delays, 1)
		time.Sleep(time.Second)
		require.Empty(tc, a.ClusterState().Delays)
	})
}
