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

// A preferred process whose work fails does not take the leadership back for ever from
// one whose work runs: it stays out for longer and longer, says so, and is listed all
// the time.
func TestPreferredWorkFails(t *testing.T) {
	inWorld(t, func(w *world) {
		var log journal
		b := w.begin("b")
		b.leads()
		a := w.process("a", priority(5), logTo(&log, slog.LevelWarn))
		failed := make(chan time.Time, 1000)
		a.run(w.Context(), func(context.Context, *elector.Leadership) error {
			failed <- time.Now()
			return errWork
		})
		var led time.Duration // by b, as a look once per second tells
		for range 3600 {
			time.Sleep(time.Second)
			if b.believes() {
				led += time.Second
			}
		}
		t.Logf("%d terms in an hour", w.seat().Term)
		require.LessOrEqual(w, w.seat().Term, uint64(2*(6+3600/(32*6))))
		require.Greater(w, led, 50*time.Minute)
		require.True(w, w.listed("a"))

		state := a.ClusterState()
		require.Greater(w, state.Failures, 6)
		require.False(w, state.HoldOff.IsZero())
		require.Zero(w, b.ClusterState().Failures)
		var lines []string
		for _, line := range log.lines() {
			if strings.Contains(line, "holding off after failed work") {
				lines = append(lines, line)
			}
		}
		require.Len(w, lines, state.Failures)
		require.Len(w, failed, state.Failures)
		for i, want := range []string{"duration=6s", "duration=12s", "duration=24s", "duration=48s", "duration=1m36s", "duration=3m12s", "duration=3m12s"} {
			require.Contains(w, lines[i], want)
			require.Contains(w, lines[i], "level=WARN")
			require.Contains(w, lines[i], "node=a")
		}
		time.Sleep(state.HoldOff.Sub(a.clock.Now()) - time.Second)
		require.False(w, a.ClusterState().HoldOff.IsZero())
		time.Sleep(time.Second)
		require.True(w, a.ClusterState().HoldOff.IsZero())
	})
}
