package simulation

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSavedRuns replays the saved runs, each of which failed once.
func TestSavedRuns(t *testing.T) {
	files, err := filepath.Glob("testdata/seeds/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		var saved SavedRun
		require.NoError(t, json.Unmarshal(b, &saved), name)
		r := Run(saved.Options)
		require.False(t, r.Failed(), "%s fails again: %v\nfixed was: %s\n%s", name, r.Violations, saved.Fixed, saved.Options.command())
	}
}

// TestSavedRunIsReadAsWritten writes a saved run and reads it back. Its command names all
// options.
func TestSavedRunIsReadAsWritten(t *testing.T) {
	opts := Options{
		Seed: 7, Faulty: 2e9, FaultFree: 3e9, Processes: 3, Without: []Fault{faultStall, faultDuplicateID},
	}
	b, err := (&SavedRun{Options: opts, Found: "x"}).Encode()
	require.NoError(t, err)
	var again SavedRun
	require.NoError(t, json.Unmarshal(b, &again))
	require.Equal(t, opts, again.Options)
	require.Equal(t, "fdbelect simulate --seed 7 --faulty 2s --quiet 3s --processes 3 --without stall,duplicate-id", opts.command())
	require.Error(t, json.Unmarshal([]byte(`{"options":{"without":["nothing"]}}`), &again))
}

// TestTimeline checks that the timeline has a column for each process with its terms, and
// that it is the same each time.
func TestTimeline(t *testing.T) {
	opts := Options{Seed: 3, Faulty: 20e9, FaultFree: 1, Processes: 3}
	lines := timeline(opts, 0)
	require.Equal(t, lines, timeline(opts, 0))
	require.Contains(t, lines[0], "| a   | b   | c   |")
	all := strings.Join(lines, "\n")
	require.Contains(t, all, " L1 ")
	require.Contains(t, all, "LEADS in term 1")
	require.Len(t, timeline(opts, 5), 6)
}
