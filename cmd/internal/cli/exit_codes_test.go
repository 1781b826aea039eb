package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
	"github.com/fdbelection/fdbelection/subspace"
)

// TestExitCodesAsDocumented creates each situation for which the README, the man page and
// docs/operations.md name an exit code, and checks the code.
func TestExitCodesAsDocumented(t *testing.T) {
	t.Setenv("FDBELECT_STORE", "")
	dir := t.TempDir()
	good := filepath.Join(dir, "good.db")
	db, err := filekv.Open(good, filekv.Options{})
	require.NoError(t, err)
	people(t, db, election.New(subspace.New("fdbelection", "default")))
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		_, err := election.New(subspace.New("fdbelection", "vacant")).Initialize(tr)
		return err
	}))
	damage(t, db, election.New(subspace.New("broken", "default")), "config")
	require.NoError(t, db.Close())
	content, err := os.ReadFile(good)
	require.NoError(t, err)
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, content, 0o600))
		return path
	}
	page := os.Getpagesize()
	destroyed := append([]byte(nil), content...)
	clear(destroyed[2*page:]) // what the two meta pages point to
	stores := map[string]string{
		"good": good, "missing": filepath.Join(dir, "missing.db"), "nowhere": filepath.Join(dir, "no", "such", "directory.db"),
		"cut off": file("cut.db", content[:page+page/2]), "destroyed": file("destroyed.db", destroyed),
		"not a store": file("notes.txt", []byte("not a store")), "empty": file("empty.db", nil),
	}
	for _, test := range []struct {
		code     int
		Database string
		commands []string
	}{
		{0, "good", []string{"status", "list", "candidates", "history", "config get", "init", "config set lease=20s", "list --root nothing", "cancel", "repair"}},
		{1, "good", []string{"init --lease 3s", "config set --revision 9 lease=30s", "unregister unknown", "transfer --to unknown"}},
		{2, "good", []string{
			"stauts", "status stray", "status --no-such-flag", "status --timeout soon", "status --election leader",
			"status --election " + strings.Repeat("x", election.MaxIDBytes+1), "list --root a/" + strings.Repeat("x", election.MaxIDBytes+1),
			"run", "run --id a stray", "run --id a --lease 0s", "run --id a -- ./no-such-program",
			"group run", "group run --id a stray more", "group run --id a --notify", "group run --id a --weight -1", "group run --id a --capacity -1",
			"group run --id a --group x y", "group run --id a -- ./no-such-program",
			"init --election new --lease 0s", "config set lease=0s", "config set lease=1s heartbeat=3s", "config set nothing=1",
			"config set", "raise-term", "transfer", "history --limit -1", "help nothing", "man nothing",
		}},
		{3, "good", []string{"resign --election vacant", "resign --term 9"}},
		{5, "good", []string{"resign --timeout 1ms", "config disable --wait --timeout 1ms"}},
	} {
		for _, command := range test.commands {
			expect(t, test.code, command, stores[test.Database])
		}
	}
	// No command works without its election, with a damaged record, without a store, or
	// with a damaged store.
	for command := range steering {
		if command != "init" && command != "list" {
			expect(t, 1, command+" --election nothing", good)
		}
		if command != "init" {
			expect(t, 4, command, stores["missing"])
		}
		expect(t, 4, command, stores["nowhere"])
		for _, store := range []string{"cut off", "destroyed", "not a store", "empty"} {
			expect(t, 1, command, stores[store])
		}
	}
	for _, command := range []string{"list", "status", "candidates", "history", "config get", "config set lease=20s", "init", "run --id a"} {
		expect(t, 1, command+" --root broken", good)
	}
	for _, store := range []string{"cut off", "destroyed", "not a store", "empty"} {
		for _, command := range []string{"run --id a", "run --observe", "doctor", "bench --count 1", "watch"} {
			expect(t, 1, command, stores[store])
		}
	}
}

// expect runs a command line on a store file and checks its exit code. A failure must
// write something to stderr.
func expect(t *testing.T, code int, command, file string) {
	t.Helper()
	o := processtest.Typed(t, command, "--store", "file:"+file)
	require.Equal(t, code, o.Code, "%s on %s\n%s%s", command, filepath.Base(file), o.Stdout, o.Stderr)
	if code != 0 {
		require.NotEmpty(t, strings.TrimSpace(o.Stderr), command)
	}
}
