package kvtest_test

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/engines"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/kvtest"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// mutant is a fault put into memkv to show that the suite finds it.
type mutant struct {
	name string
	// killedBy names a case that must fail.
	killedBy string
	// Exactly one of these is set: change alters each transaction, db wraps the
	// database, options alters the engine's options, and store alters the handles
	// of the suite.
	change  func(h *hooked)
	db      func(db kv.Database) kv.Database
	options func(opts *memkv.Options)
	store   func(s *kvtest.Store)
}

// engine is memkv with the fault.
func (m mutant) engine() kvtest.Engine {
	var e kvtest.Engine
	if m.options != nil {
		e = engines.Mem(m.options)
	} else {
		e = engines.Mem()
	}
	e.Name, e.Timeout = "mutant", 400*time.Millisecond
	e.Lacks = nil
	open := e.Open
	e.Open = func(t testing.TB) kvtest.Store {
		s := open(t)
		// Reopening as a durable engine would do it.
		s.Reopen = func(testing.TB) kv.Database { return s.Database }
		if m.change != nil {
			s = hook(s, m.change)
		}
		if m.db != nil {
			s.Database = m.db(s.Database)
		}
		if m.store != nil {
			m.store(&s)
		}
		return s
	}
	return e
}

func allMutants() []mutant {
	var all []mutant
	for _, some := range [][]mutant{
		conflictMutants, readMutants, rangeMutants, writeMutants, stampMutants,
		commitMutants, retryMutants, watchMutants, engineMutants,
	} {
		all = append(all, some...)
	}
	return all
}

// TestMutantsAreKilled checks that each fault fails the case that covers it.
func TestMutantsAreKilled(t *testing.T) {
	cases := map[string]kvtest.Case{}
	for _, c := range kvtest.Cases() {
		cases[c.Name] = c
	}
	for _, m := range allMutants() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			c, ok := cases[m.killedBy]
			require.True(t, ok, "no case is named %q", m.killedBy)
			require.True(t, canFail(t, c, m), "%s passes on the mutant", m.killedBy)
		})
	}
}

// TestUnchangedEnginePasses checks that the wrapper around the mutants is not a
// fault itself.
func TestUnchangedEnginePasses(t *testing.T) {
	e := mutant{change: func(*hooked) {}}.engine()
	e.Timeout = 10 * time.Second
	for _, c := range kvtest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			failed, log := runCase(t, c, e)
			require.False(t, failed, log)
		})
	}
}

// TestEveryCaseCanFail checks that each case fails on some mutant.
// testdata/killers.txt names a mutant for each case.
func TestEveryCaseCanFail(t *testing.T) {
	if *updateKillers {
		findKillers(t)
	}
	mutants := map[string]mutant{}
	for _, m := range allMutants() {
		mutants[m.name] = m
	}
	killers := readKillers(t)
	for _, c := range kvtest.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			m, ok := mutants[killers[c.Name]]
			require.True(t, ok, "%s names no mutant for this case; run: go test ./kv/kvtest -run TestEveryCaseCanFail -killers -timeout 1h", killersFile)
			require.True(t, canFail(t, c, m), "the case passes on the mutant %q", m.name)
		})
	}
}

// canFail reports whether a case fails on a mutant. It tries several times, because
// a random or concurrent case may not always hit the fault.
func canFail(t *testing.T, c kvtest.Case, m mutant) bool {
	t.Helper()
	const runs = 20
	for range runs {
		if failed, _ := runCase(t, c, m.engine()); failed {
			return true
		}
	}
	return false
}

const killersFile = "testdata/killers.txt"

var updateKillers = flag.Bool("killers", false, "run every mutant against every case, and rewrite "+killersFile)

// readKillers returns the names of the mutants by case.
func readKillers(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(killersFile)
	require.NoError(t, err)
	killers := map[string]string{}
	for line := range strings.Lines(string(text)) {
		c, m, ok := strings.Cut(strings.TrimSpace(line), ": ")
		require.True(t, ok, "%s: %q", killersFile, line)
		killers[c] = m
	}
	return killers
}

// findKillers runs every mutant against every case. For each case it keeps the
// fastest mutant that fails it every time.
func findKillers(t *testing.T) {
	t.Helper()
	type killer struct {
		mutant
		took time.Duration
	}
	var mu sync.Mutex
	killers := map[string][]killer{}
	for _, m := range allMutants() {
		e := m.engine()
		var group sync.WaitGroup
		kills, slots := 0, make(chan struct{}, 4)
		for _, c := range kvtest.Cases() {
			slots <- struct{}{}
			group.Go(func() {
				defer func() { <-slots }()
				start := time.Now()
				failed, _ := runCase(t, c, e)
				took := time.Since(start).Round(20 * time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				if failed {
					kills++
					killers[c.Name] = append(killers[c.Name], killer{m, took})
				}
			})
		}
		group.Wait()
		t.Logf("%d cases fail on the mutant %q", kills, m.name)
	}
	var out strings.Builder
	for _, c := range kvtest.Cases() {
		found := killers[c.Name]
		slices.SortStableFunc(found, func(a, b killer) int { return cmp.Compare(a.took, b.took) })
		i := slices.IndexFunc(found, func(k killer) bool { return fails(t, c, k.mutant, 5) })
		if i < 0 {
			t.Errorf("no mutant fails %s every time", c.Name)
			continue
		}
		fmt.Fprintf(&out, "%s: %s\n", c.Name, found[i].name)
	}
	t.Logf("%d mutants against %d cases", len(allMutants()), len(kvtest.Cases()))
	require.NoError(t, os.WriteFile(killersFile, []byte(out.String()), 0o644))
}

// fails reports whether a case fails on a mutant n times in a row.
func fails(t *testing.T, c kvtest.Case, m mutant, n int) bool {
	t.Helper()
	for range n {
		if failed, _ := runCase(t, c, m.engine()); !failed {
			return false
		}
	}
	return true
}
