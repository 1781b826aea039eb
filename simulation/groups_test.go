package simulation

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/longtest"
)

// TestGroupSweep runs many seeds of groups. GROUP_SEEDS says how many (`make simulate-groups`), and
// GROUP_FIRST is the first one. For a seed that fails it prints the command that replays it, the
// smallest run that still fails, and the end of its timeline.
func TestGroupSweep(t *testing.T) {
	number := func(name string, fallback uint64) uint64 {
		if s := os.Getenv(name); s != "" {
			n, err := strconv.ParseUint(s, 10, 64)
			require.NoError(t, err, name)
			return n
		}
		return fallback
	}
	run := Options{Groups: true}
	s := Sweep(context.Background(), SweepOptions{
		First: number("GROUP_FIRST", 1), Seeds: number("GROUP_SEEDS", longtest.Pick[uint64](60, 150)), Jobs: runtime.GOMAXPROCS(0), Twice: 5, Run: run,
	})
	t.Logf("%d seeds, %d twice, %s simulated, %d tenures, %d fenced writes", s.Seeds, s.Twice, s.Simulated, s.Tenures, s.Fenced)
	for i := range s.Failures {
		told, _ := Explain(run, &s.Failures[i], 40)
		t.Error(told)
	}
	if s.Seeds >= 1000 {
		require.Empty(t, s.Missing(), "situations that a thousand seeds must reach")
	}
}

// TestASeedOfGroupsIsOneRun runs seeds twice, once with a trace, and compares the hashes.
func TestASeedOfGroupsIsOneRun(t *testing.T) {
	for seed := uint64(1); seed <= 4; seed++ {
		opts := Options{Seed: seed, Groups: true}
		first, second := Run(opts), Run(opts)
		require.Equal(t, first, second)
		opts.Trace = func(string) {}
		require.Equal(t, first, Run(opts), "a trace changes nothing")
		opts.Seed++
		require.NotEqual(t, first.Commits, Run(opts).Commits)
	}
}
