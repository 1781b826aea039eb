package simulation_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/simulation"
)

// TestKeptSeeds runs what has failed once, for ever.
func TestKeptSeeds(t *testing.T) {
	files, err := filepath.Glob("testdata/seeds/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		var kept simulation.SavedRun
		require.NoError(t, json.Unmarshal(b, &kept), name)
		r := simulation.Run(kept.Options)
		require.False(t, r.Failed(), "%s fails again: %v\nmended was: %s\n%s", name, r.Violations, kept.Fixed, kept.Options.Command())
	}
}

// TestOptionsAreKept: a kept run is read as it was written, and its command names
// all of it.
func TestOptionsAreKept(t *testing.T) {
	opts := simulation.Options{
		Seed: 7, Faulty: 2e9, FaultFree: 3e9, Processes: 3, Without: []simulation.Fault{simulation.Stall, simulation.DuplicateID},
	}
	b, err := (&simulation.SavedRun{Options: opts, Found: "x"}).Encode()
	require.NoError(t, err)
	var again simulation.SavedRun
	require.NoError(t, json.Unmarshal(b, &again))
	require.Equal(t, opts, again.Options)
	require.Equal(t, "fdbelect simulate --seed 7 --faulty 2s --quiet 3s --processes 3 --without stall,twin", opts.Command())
	require.Error(t, json.Unmarshal([]byte(`{"options":{"without":["nothing"]}}`), &again))
}

// TestTimeline: one column for each process, leaders and terms in it, and the
// same lines each time.
func TestTimeline(t *testing.T) {
	opts := simulation.Options{Seed: 3, Faulty: 20e9, FaultFree: 1, Processes: 3}
	lines := simulation.Timeline(opts, 0)
	require.Equal(t, lines, simulation.Timeline(opts, 0))
	require.Contains(t, lines[0], "| a   | b   | c   |")
	all := strings.Join(lines, "\n")
	require.Contains(t, all, " L1 ")
	require.Contains(t, all, "LEADS in term 1")
	require.Len(t, simulation.Timeline(opts, 5), 6)
}
