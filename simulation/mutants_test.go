package simulation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/longtest"
)

// mutant is a deliberate bug in the sources. If two places guard against the same bug,
// both are changed.
type mutant struct {
	Name string `json:"name"`
	// Sampled says that the long tests run it. A seed finds it soon.
	Sampled bool `json:"sampled"`
	edit
	Also *edit `json:"also"`
	// Groups says that seeds of groups find it, not those of elections.
	Groups bool `json:"-"`
}

// edit replaces the first occurrence of a text in a file.
type edit struct {
	File string `json:"file"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

func mutants(t *testing.T) []mutant {
	t.Helper()
	var all []mutant
	for _, name := range []string{"mutants.json", "group_mutants.json"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		require.NoError(t, err)
		var some []mutant
		require.NoError(t, json.Unmarshal(b, &some))
		for i := range some {
			some[i].Groups = name == "group_mutants.json"
		}
		all = append(all, some...)
	}
	return all
}

// TestMutants is invariant 27. Every check can fail, and every mutant of the protocol and
// of the loop is found. MUTANTS=all runs all mutants, MUTANTS=groups those of groups, and
// MUTANTS=name those whose name contains it. The long tests run those that are sampled. MUTANT_SEEDS is how many seeds look for
// each (8000). If none of the first 100 finds a mutant of the protocol of elections, TestExplore and
// TestPairs look for it too. TestExploreGroups looks for each mutant of the protocol of groups. With
// all mutants the test writes the matrix to the file MATRIX.
func TestMutants(t *testing.T) {
	which, most := os.Getenv("MUTANTS"), "8000"
	if which == "" {
		longtest.Only(t)
	}
	if s := os.Getenv("MUTANT_SEEDS"); s != "" {
		most = s
	}
	var rows []string
	kills := map[int]int{}
	for _, m := range mutants(t) {
		if !m.runs(which) {
			continue
		}
		t.Run(m.Name, func(t *testing.T) {
			binary := m.build(t)
			seed, broken := m.hunt(t, binary, most, which == "all" || which == "groups")
			var schedules, pairs []int
			switch {
			case which == "":
			case strings.HasPrefix(m.File, "group/"):
				schedules = exploreGroupMutant(binary)
			case strings.HasPrefix(m.File, "election/") && !m.Groups && (seed == 0 || seed > 100):
				schedules, pairs = exploreMutant(binary), pairMutant(binary)
			}
			t.Logf("seed %d breaks %v, small worlds %v, pairs %v", seed, broken, schedules, pairs)
			require.NotEmpty(t, slices.Concat(broken, schedules, pairs), "no test finds it in %s seeds, the small worlds and the pairs", most)
			for _, number := range broken {
				kills[number]++
			}
			needed := "none"
			if seed > 0 {
				needed = strconv.Itoa(seed)
			}
			rows = append(rows, fmt.Sprintf("| %s | %s | %s | %s | %s | %s |",
				m.Name, path.Dir(m.File), needed, names(broken), names(schedules), names(pairs)))
		})
	}
	if which != "all" && which != "groups" {
		return
	}
	first := invBallot
	if which == "groups" {
		first = invGroupTerms
	}
	for i := first; i < invEnd; i++ {
		if kills[int(i)] == 0 {
			t.Errorf("invariant %s finds no mutant", i)
		}
	}
	if name := os.Getenv("MATRIX"); name != "" {
		table := "| mutant | package | first seed | breaks | in small worlds | in pairs |\n|---|---|---|---|---|---|\n" + strings.Join(rows, "\n") + "\n"
		require.NoError(t, os.WriteFile(name, []byte(table), 0o644))
	}
}

// TestMutantsMatchTheSources checks that every mutant finds the text that it edits exactly once, so
// that new code does not make it edit another place.
func TestMutantsMatchTheSources(t *testing.T) {
	for _, m := range mutants(t) {
		for _, e := range []*edit{&m.edit, m.Also} {
			if e == nil {
				continue
			}
			source, err := os.ReadFile(filepath.Join("..", e.File))
			require.NoError(t, err, m.Name)
			require.Equal(t, 1, strings.Count(string(source), e.Old), "%s: how often %s has the text: update testdata/mutants.json", m.Name, e.File)
		}
	}
}

// names lists invariants.
func names(invariants []int) string {
	all := make([]string, len(invariants))
	for i, number := range invariants {
		if all[i] = strconv.Itoa(number); number == int(invHotLoop) {
			all[i] = "hot loop"
		}
	}
	return strings.Join(all, ", ")
}

// build compiles the tests of this package with the mutant.
func (m *mutant) build(t *testing.T) (binary string) {
	t.Helper()
	dir := t.TempDir()
	changed := map[string]string{}
	m.edit.change(t, changed)
	if m.Also != nil {
		m.Also.change(t, changed)
	}
	overlay := map[string]string{}
	for name, text := range changed {
		overlay[name] = filepath.Join(dir, fmt.Sprintf("%d.go", len(overlay)))
		require.NoError(t, os.WriteFile(overlay[name], []byte(text), 0o644))
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": overlay})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "overlay.json"), text, 0o644))
	binary = filepath.Join(dir, "mutant.test")
	build := exec.Command("go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay="+filepath.Join(dir, "overlay.json"), "-o", binary, ".")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return binary
}

// change adds the file with the edit to the changed files, by absolute path.
func (e *edit) change(t *testing.T, changed map[string]string) {
	t.Helper()
	name, err := filepath.Abs(filepath.Join("..", e.File))
	require.NoError(t, err)
	source, ok := changed[name]
	if !ok {
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		source = string(b)
	}
	require.Contains(t, source, e.Old, "the source has changed: update testdata/mutants.json")
	changed[name] = strings.Replace(source, e.Old, e.New, 1)
}

// runs reports whether the value of MUTANTS asks for the mutant.
func (m *mutant) runs(which string) bool {
	switch which {
	case "":
		return m.Sampled
	case "all":
		return true
	case "groups":
		return m.Groups
	default:
		return strings.Contains(m.Name, which)
	}
}

// hunt runs TestHunt on the mutant. It returns the first seed that fails and the
// invariants that fail.
func (m *mutant) hunt(t *testing.T, binary, most string, goOn bool) (seed int, broken []int) {
	t.Helper()
	env := []string{"HUNT=" + most}
	if m.Groups {
		env = append(env, "HUNT_GROUPS=1")
	}
	if goOn {
		env = append(env, "HUNT_AFTER=20")
	}
	seed, broken, err := findings(binary, "1h", "^TestHunt$", env...)
	require.NoError(t, err)
	return seed, broken
}

// exploreMutant runs the small worlds of two actors on the mutant. It returns the
// invariants that fail in the first schedule with a violation. It gives up after two
// minutes.
func exploreMutant(binary string) []int {
	_, broken, _ := findings(binary, "2m", "^TestExplore$/^2_x_", "EXPLORE=all")
	return broken
}

// exploreGroupMutant runs the small groups that are not large on the mutant, and returns the
// invariants that fail.
func exploreGroupMutant(binary string) []int {
	_, broken, _ := findings(binary, "5m", "^TestExploreGroups$", "LONG=1")
	return broken
}

// pairMutant runs TestPairs on the mutant, and returns the invariants that fail.
func pairMutant(binary string) []int {
	_, broken, _ := findings(binary, "2m", "^TestPairs$", "LONG=1")
	return broken
}

// findings runs tests of the mutant, and parses what they print.
func findings(binary, limit, tests string, env ...string) (seed int, broken []int, err error) {
	run := exec.Command(binary, "-test.run="+tests, "-test.timeout="+limit)
	run.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	run.Stdout, run.Stderr = &stdout, &stderr
	if err = run.Run(); err != nil {
		err = fmt.Errorf("%w: %s", err, stderr.String())
	}
	for line := range strings.Lines(stdout.String()) {
		var number, invariant int
		if n, _ := fmt.Sscanf(line, "KILLED %d", &number); n == 1 {
			seed = number
		}
		if n, _ := fmt.Sscanf(line, "VIOLATED %d %d", &number, &invariant); n == 2 && !slices.Contains(broken, invariant) {
			broken = append(broken, invariant)
		}
	}
	slices.Sort(broken)
	return seed, broken, err
}
