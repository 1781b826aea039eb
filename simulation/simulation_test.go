package simulation_test

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/simulation"
)

func TestMain(m *testing.M) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(simulation.GCPercent)
	}
	os.Exit(m.Run())
}

// TestSweep runs many seeds: 100, or as many as SIMULATION_SEEDS says (make
// simulate), from SIMULATION_FIRST on; SIMULATION_TWICE of 100 run twice. A seed
// that fails comes with the command that runs it again, the same made small, and the end
// of its timeline.
func TestSweep(t *testing.T) {
	number := func(name string, fallback uint64) uint64 {
		if s := os.Getenv(name); s != "" {
			n, err := strconv.ParseUint(s, 10, 64)
			require.NoError(t, err, name)
			return n
		}
		return fallback
	}
	seeds, twice := uint64(100), uint64(5)
	if testing.Short() { // for the race detector, which finds little in one thread and takes long
		seeds, twice = 20, 20
	}
	s := simulation.Sweep(context.Background(), simulation.SweepOptions{
		First: number("SIMULATION_FIRST", 1), Seeds: number("SIMULATION_SEEDS", seeds), Jobs: runtime.GOMAXPROCS(0),
		Twice: number("SIMULATION_TWICE", twice), Linearize: 10,
	})
	t.Logf("%d seeds, %d twice, %d by porcupine, %s simulated", s.Seeds, s.Twice, s.Linearized, s.Simulated)
	for i := range s.Failures {
		told, _ := simulation.Explain(simulation.Options{}, &s.Failures[i], 40)
		t.Error(told)
	}
	if s.Seeds >= 1000 {
		require.Empty(t, s.Missing(), "situations that a thousand seeds must reach")
	}
	require.NotZero(t, s.Twice)
	require.NotZero(t, s.Linearized)
}

// TestASeedIsOneRun: all of it, to the hash; and another seed is another run.
func TestASeedIsOneRun(t *testing.T) {
	opts := simulation.Options{Seed: 11, Linearize: true}
	first, second := simulation.Run(opts), simulation.Run(opts)
	require.Equal(t, first, second)
	opts.Trace = func(simulation.Line) {}
	traced := simulation.Run(opts)
	require.Equal(t, first, traced, "to look on changes nothing")
	opts.Seed++
	require.NotEqual(t, first.Commits, simulation.Run(opts).Commits)
}
