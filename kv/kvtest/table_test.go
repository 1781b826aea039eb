package kvtest_test

import (
	"flag"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/engines"
	"github.com/fdbelection/fdbelection/kv/kvtest"
)

var update = flag.Bool("update", false, "rewrite CASES.md")

const preface = `# The conformance suite, case by case

Written by ` + "`go test ./kv/kvtest -run TestTable -update`" + `; do not edit.

A case is what FoundationDB does, as far as an engine can show it; the suite
runs on FoundationDB 7.3 itself in kv/fdbkv. Among the cases are the contract's
own rules, such as what the end of a context does. "Not applicable" names the
capability that the engine, or the way it is opened for the suite, does not
have; the reasons stand at the end.

Some rules show only where the suite makes an operation fail: that storage lags
behind a read version (1009, 1037), that the database is locked or its proxies
are busy (1038, 1042, 1051, 1078, 1213), that the cluster changed its version
(1039). No case shows a forced recovery, which loses commits.
`

// CASES.md is the suite as it is.
func TestTable(t *testing.T) {
	const file = "CASES.md"
	want := preface + kvtest.Table(engines.Mem(), engines.File(), engines.FoundationDB(nil))
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(want), 0o644))
	}
	got, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, want, string(got), "rewrite it with -update")
}

// The names and the sentences of the cases are in order.
func TestCasesAreNamed(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range kvtest.Cases() {
		require.Regexp(t, `^[A-Z][A-Za-z]+/[A-Z][A-Za-z0-9]+$`, c.Name)
		require.False(t, seen[c.Name], "%s stands twice", c.Name)
		seen[c.Name] = true
		require.NotEmpty(t, c.Shows, c.Name)
		require.NotContains(t, c.Shows, "|", c.Name)
	}
	require.NotContains(t, kvtest.Table(), "\n\n\n", "a group without a description")
}

// A capability that an engine neither has nor accounts for fails the case that
// needs it, and so does a false account.
func TestCapabilitiesAreAccountedFor(t *testing.T) {
	whole, i := engines.Mem(), slices.IndexFunc(kvtest.Cases(), func(c kvtest.Case) bool {
		return c.Name == "Versions/FollowTheClock"
	})
	c := kvtest.Cases()[i]
	bare := whole
	bare.Open = func(t testing.TB) kvtest.Store {
		return kvtest.Store{Database: whole.Open(t).Database}
	}
	for _, run := range []struct {
		engine kvtest.Engine
		lacks  map[kvtest.Capability]string
		fails  bool
		says   string
	}{
		{bare, nil, true, `no handle for "clock"`},
		{bare, map[kvtest.Capability]string{kvtest.Clock: ""}, true, "gives no reason"},
		{bare, map[kvtest.Capability]string{kvtest.Clock: "it has none"}, false, "not applicable to memkv: clock: it has none"},
		{whole, map[kvtest.Capability]string{kvtest.Sharing: "it has none"}, true, `Lacks names "sharing"`},
		{whole, nil, false, ""},
	} {
		run.engine.Lacks = run.lacks
		failed, log := runCase(t, c, run.engine)
		require.Equal(t, run.fails, failed, log)
		require.Contains(t, log, run.says)
	}
}
