package simulation_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/simulation"
)

// mutant is a fault that is put into the sources: the first occurrence of a text
// in a file is replaced.
type mutant struct {
	Name string `json:"name"`
	File string `json:"file"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

func mutants(t *testing.T) []mutant {
	t.Helper()
	b, err := os.ReadFile("testdata/mutants.json")
	require.NoError(t, err)
	var all []mutant
	require.NoError(t, json.Unmarshal(b, &all))
	return all
}

// TestMutants is invariant 27: every check can fail, and every fault that is put
// into the protocol or the loop is found. It runs every tenth mutant, or with
// MUTANTS=all all of them, for as many as MUTANT_SEEDS (2000) seeds each;
// MUTANTS=name runs those whose name contains it. With all of them it writes the
// matrix to the file that MATRIX names.
func TestMutants(t *testing.T) {
	which, most := os.Getenv("MUTANTS"), "2000"
	if which == "" && testing.Short() {
		t.Skip("each mutant is compiled")
	}
	if s := os.Getenv("MUTANT_SEEDS"); s != "" {
		most = s
	}
	var rows []string
	kills := map[int]int{}
	for i, m := range mutants(t) {
		if which == "" && i%20 != 3 || which != "" && which != "all" && !strings.Contains(m.Name, which) {
			continue
		}
		t.Run(m.Name, func(t *testing.T) {
			seed, broken := hunt(t, m, most, which == "all")
			require.NotZero(t, seed, "it survives %s seeds", most)
			t.Logf("killed by seed %d: %v", seed, broken)
			names := make([]string, len(broken))
			for i, number := range broken {
				kills[number]++
				if names[i] = strconv.Itoa(number); number == int(simulation.HotLoop) {
					names[i] = "hot loop"
				}
			}
			rows = append(rows, fmt.Sprintf("| %s | %s | %d | %s |", m.Name, m.File, seed, strings.Join(names, ", ")))
		})
	}
	if which != "all" {
		return
	}
	for i := simulation.Ballot; i <= simulation.HotLoop; i++ {
		if kills[int(i)] == 0 {
			t.Errorf("invariant %s kills no mutant", i)
		}
	}
	if name := os.Getenv("MATRIX"); name != "" {
		table := "| mutant | file | seeds needed | breaks |\n|---|---|---|---|\n" + strings.Join(rows, "\n") + "\n"
		require.NoError(t, os.WriteFile(name, []byte(table), 0o644))
	}
}

// hunt runs TestHunt on the mutant, and returns the first seed that fails and the
// invariants that do not hold.
func hunt(t *testing.T, m mutant, most string, goOn bool) (seed int, broken []int) {
	t.Helper()
	dir := t.TempDir()
	path, err := filepath.Abs(filepath.Join("..", m.File))
	require.NoError(t, err)
	source, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Contains(t, string(source), m.Old, "the source has changed: mend testdata/mutants.json")
	changed := filepath.Join(dir, "mutant.go")
	require.NoError(t, os.WriteFile(changed, []byte(strings.Replace(string(source), m.Old, m.New, 1)), 0o644))
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o644))
	binary := filepath.Join(dir, "mutant.test")
	build := exec.Command("go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay="+filepath.Join(dir, "overlay.json"), "-o", binary, ".")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)

	run := exec.Command(binary, "-test.run=^TestHunt$", "-test.timeout=1h")
	run.Env = append(os.Environ(), "HUNT="+most)
	if goOn {
		run.Env = append(run.Env, "HUNT_AFTER=20")
	}
	var stdout, stderr bytes.Buffer
	run.Stdout, run.Stderr = &stdout, &stderr
	err = run.Run()
	for line := range strings.Lines(stdout.String()) {
		var number, invariant int
		if n, _ := fmt.Sscanf(line, "KILLED %d", &number); n == 1 {
			seed = number
		}
		if n, _ := fmt.Sscanf(line, "VIOLATED %d %d", &number, &invariant); n == 2 && !slices.Contains(broken, invariant) {
			broken = append(broken, invariant)
		}
	}
	require.NoError(t, err, "%s", stderr.String())
	slices.Sort(broken)
	return seed, broken
}
