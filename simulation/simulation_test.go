package simulation

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/longtest"
)

func TestMain(m *testing.M) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(800) // a run makes much garbage and keeps little
	}
	os.Exit(m.Run())
}

// TestSweep runs many seeds. SIMULATION_SEEDS says how many (`make simulate`),
// SIMULATION_FIRST is the first one, and SIMULATION_TWICE of 100 run twice. For a seed that
// fails it prints the command that replays it, the smallest run that still fails, and the
// end of its timeline.
func TestSweep(t *testing.T) {
	number := func(name string, fallback uint64) uint64 {
		if s := os.Getenv(name); s != "" {
			n, err := strconv.ParseUint(s, 10, 64)
			require.NoError(t, err, name)
			return n
		}
		return fallback
	}
	s := Sweep(context.Background(), SweepOptions{
		First: number("SIMULATION_FIRST", 1), Seeds: number("SIMULATION_SEEDS", longtest.Pick[uint64](60, 100)), Jobs: runtime.GOMAXPROCS(0),
		Twice: number("SIMULATION_TWICE", 5), Linearize: 10,
	})
	t.Logf("%d seeds, %d twice, %d by porcupine, %s simulated", s.Seeds, s.Twice, s.Linearized, s.Simulated)
	for i := range s.Failures {
		told, _ := Explain(Options{}, &s.Failures[i], 40)
		t.Error(told)
	}
	if s.Seeds >= 1000 {
		require.Empty(t, s.Missing(), "situations that a thousand seeds must reach")
	}
	require.NotZero(t, s.Twice)
	require.NotZero(t, s.Linearized)
}

// TestASeedIsOneRun runs a seed twice, once with a trace, and compares the hashes. Another
// seed gives another run.
func TestASeedIsOneRun(t *testing.T) {
	opts := Options{Seed: 11, Linearize: true}
	first, second := Run(opts), Run(opts)
	require.Equal(t, first, second)
	opts.Trace = func(string) {}
	traced := Run(opts)
	require.Equal(t, first, traced, "a trace changes nothing")
	opts.Seed++
	require.NotEqual(t, first.Commits, Run(opts).Commits)
}
