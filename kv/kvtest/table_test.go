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

Each case checks one behaviour of FoundationDB or one rule of package kv. The suite also
runs on FoundationDB 7.3 itself, in kv/fdbkv. "Not applicable" names the capability that
the engine, or the way the tests open it, does not have. The reasons are at the end.

Some rules show only if the suite makes an operation fail: storage lags behind a read
version (1009, 1037), the database is locked or its proxies are busy (1038, 1042, 1051,
1078, 1213), or the cluster changes its protocol version (1039). No case shows a forced
recovery, which loses commits.
`

// TestTable checks that CASES.md is up to date.
func TestTable(t *testing.T) {
	const file = "CASES.md"
	want := preface + table(engines.Mem(), engines.File(), engines.FoundationDB(nil))
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(want), 0o644))
	}
	got, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, want, string(got), "run the test with -update")
}

// TestCasesAreNamed checks the names and descriptions of the cases.
func TestCasesAreNamed(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range kvtest.Cases() {
		require.Regexp(t, `^[A-Z][A-Za-z]+/[A-Z][A-Za-z0-9]+$`, c.Name)
		require.False(t, seen[c.Name], "duplicate name %s", c.Name)
		seen[c.Name] = true
		require.NotEmpty(t, c.Shows, c.Name)
		require.NotContains(t, c.Shows, "|", c.Name)
	}
	require.NotContains(t, table(), "\n\n\n", "a group without a description")
}

// TestCapabilitiesAreAccountedFor checks that a case fails if a capability is
// neither provided nor named in Lacks, or is both.
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
