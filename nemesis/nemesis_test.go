package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/longtest"
)

// TestMain makes the test binary the program itself, for the processes of a run.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "worker" || os.Args[1] == "child") {
		main()
		return
	}
	os.Exit(m.Run())
}

// buildCommand builds fdbelect.
func buildCommand(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "fdbelect")
	cmd := exec.Command("go", "build", "-o", program, "./cmd/fdbelect")
	cmd.Dir = ".."
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GOWORK=") }) // the workspace has its modules
	output, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", output)
	return program
}

// runFor runs the nemesis on a file store.
func runFor(t *testing.T, o options) *report {
	t.Helper()
	o.store, o.lease, o.dir = "file", time.Second, t.TempDir()
	out := new(strings.Builder)
	r, err := o.run(t.Context(), out)
	t.Log(out)
	require.NoError(t, err)
	return r
}

// TestShortRun strikes for a few seconds. `make nemesis` does so for longer.
func TestShortRun(t *testing.T) {
	r := runFor(t, options{fdbelect: buildCommand(t), length: longtest.Pick(6*time.Second, time.Minute), seed: 1})
	require.Empty(t, r.Violations)
	require.NotEmpty(t, r.faults())
}

// TestPlantedBugs: each planted bug breaks the rule that is to find it.
func TestPlantedBugs(t *testing.T) {
	longtest.Only(t)
	program := buildCommand(t)
	for bug, rule := range bugs {
		t.Run(bug, func(t *testing.T) {
			for seed := range uint64(10) {
				r := runFor(t, options{fdbelect: program, length: 30 * time.Second, seed: seed, bug: bug})
				if slices.ContainsFunc(r.Violations, func(v violation) bool { return v.Rule == rule }) {
					t.Logf("found in run %d", seed+1)
					return
				}
			}
			t.Fatal("not found")
		})
	}
}

// TestJudgeAgain judges a run by its files, with the same result.
func TestJudgeAgain(t *testing.T) {
	longtest.Only(t)
	o := options{fdbelect: buildCommand(t), length: 20 * time.Second, seed: 1, bug: bugFence, store: "file", lease: time.Second, dir: t.TempDir()}
	r, err := o.run(t.Context(), new(strings.Builder))
	require.NoError(t, err)
	again, err := judgeAgain(o.dir)
	require.NoError(t, err)
	require.Equal(t, r.String(), again.String())
}
