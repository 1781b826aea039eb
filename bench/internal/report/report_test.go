package report

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/bench/internal/figures"
	"github.com/fdbelection/fdbelection/bench/internal/scenario"
)

// TestPageIsOfTheFile: the page and the charts in docs are those of the file of figures beside them.
func TestPageIsOfTheFile(t *testing.T) {
	docs, folder := "../../../docs", t.TempDir()
	f, err := figures.Read(filepath.Join(docs, "benchmarks.json"))
	require.NoError(t, err)
	require.NotEmpty(t, f.Results)
	require.NoError(t, os.Mkdir(filepath.Join(folder, "pictures"), 0o700))
	require.NoError(t, Write(f, folder))
	written, err := filepath.Glob(filepath.Join(folder, "pictures", "*.svg"))
	require.NoError(t, err)
	require.NotEmpty(t, written)
	for _, path := range append(written, filepath.Join(folder, "benchmarks.md")) {
		name, err := filepath.Rel(folder, path)
		require.NoError(t, err)
		want, err := os.ReadFile(path)
		require.NoError(t, err)
		have, err := os.ReadFile(filepath.Join(docs, name))
		require.NoError(t, err)
		require.True(t, bytes.Equal(want, have), "%s is not of benchmarks.json: run peers report", name)
	}
}

// TestNumber: three significant digits, and thousands apart.
func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.0042: "0.0042", 3.5249: "3.52", 42.71: "42.7", 121.4: "121", 27156.2: "27,156", 1234567: "1,234,567", -1000: "-1,000",
	} {
		require.Equal(t, want, number(v))
	}
	require.Equal(t, "0.0001", grouped("0.0001"))
}

// TestHolds: a run names what is still from it.
func TestHolds(t *testing.T) {
	f := &figures.File{
		Results: []figures.Result{
			{Run: "1", System: "etcd", Scenario: "crash"},
			{Run: "1", System: "memkv", Scenario: "resign"},
			{Run: "2", System: "memkv", Scenario: "crash"},
		},
		Curves: []figures.Curve{{Run: "2"}},
	}
	for _, s := range scenario.All()[2:] {
		f.Results = append(f.Results, figures.Result{Run: "3", System: "Redis", Scenario: s.Name})
	}
	require.Equal(t, "memkv, etcd: resign, crash", holds(f, "1"))
	require.Equal(t, "memkv: crash; the curves", holds(f, "2"))
	require.Equal(t, "Redis: all but acquire, resign", holds(f, "3"))
}

// TestRate: the times per second of one core follow from the processor time of one.
func TestRate(t *testing.T) {
	r := &figures.Result{Values: map[string]float64{"processor time, µs": 250}}
	require.InDelta(t, 4000, withRate(r).Values["per second, one core"], 0.001)
	require.Len(t, r.Values, 1, "the result itself is unchanged")
	require.Empty(t, withRate(&figures.Result{}).Values)
}
