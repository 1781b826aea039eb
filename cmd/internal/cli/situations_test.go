package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
	"github.com/fdbelection/fdbelection/subspace"
)

// steering lists every subcommand that reads or changes elections, as a command line, with
// the records that it reads.
var steering = map[string][]string{
	"list":                   {"config", "leader"},
	"status":                 {"config", "leader"},
	"candidates":             {"config", "leader", "candidate"},
	"history":                {"config", "history"},
	"init":                   {"config"},
	"config get":             {"config"},
	"config set lease=20s":   {"config"},
	"config set --defaults":  {},
	"config enable":          {"config"},
	"config disable":         {"config"},
	"resign --timeout 100ms": {"config", "leader", "intent"},
	"resign --force --yes":   {"config", "leader"},
	"transfer --to b --timeout 100ms": {
		"config", "leader", "intent", "candidate",
	},
	"evict --dry-run":              {"config", "leader"},
	"unregister --force b":         {"config", "leader", "candidate"},
	"cancel":                       {},
	"repair":                       {},
	"raise-term --floor 9 --force": {"config"},
}

// words splits a command line.
func words(line string) []string { return strings.Fields(line) }

// TestEverySubcommandInEverySituation: every subcommand reports the same fault of the
// store or the command line in the same way, and creates and changes nothing.
func TestEverySubcommandInEverySituation(t *testing.T) {
	t.Setenv("FDBELECT_STORE", "")
	dir := t.TempDir()
	rubbish := filepath.Join(dir, "notes.txt")
	require.NoError(t, os.WriteFile(rubbish, []byte("not a store"), 0o600))
	empty := filepath.Join(dir, "empty.db")
	db, err := filekv.Open(empty, filekv.Options{})
	require.NoError(t, err)
	require.NoError(t, db.Close())

	for line := range steering {
		t.Run(line, func(t *testing.T) {
			o := processtest.Typed(t, line)
			require.Equal(t, 2, o.Code, o.Stderr)
			require.Contains(t, o.Stderr, "no store is named")
			require.Contains(t, o.Stderr, "file:/var/lib/app/election.db")

			missing := filepath.Join(dir, "missing.db")
			if line != "init" { // it makes one
				o = processtest.Typed(t, line, "--store", "file:"+missing)
				require.Equal(t, 4, o.Code, o.Stderr)
				require.Contains(t, o.Stderr, "there is no store here")
				require.NoFileExists(t, missing)
			}
			o = processtest.Typed(t, line, "--store", "file:"+rubbish)
			require.Equal(t, 1, o.Code, o.Stderr)
			text, err := os.ReadFile(rubbish)
			require.NoError(t, err)
			require.Equal(t, "not a store", string(text))

			if line != "init" && line != "list" {
				o = processtest.Typed(t, line, "--store", "file:"+empty)
				require.Equal(t, 1, o.Code, o.Stderr)
				require.Contains(t, o.Stderr, "there is no election default below fdbelection")
				require.Contains(t, o.Stderr, `"fdbelect init"`)
			}
			for _, wrong := range [][]string{{"--no-such-flag"}, {"--timeout", "soon"}, {"--timeout", "0s"}, {"--root", "a//b"}, {"--store", "redis:x"}} {
				o = processtest.Typed(t, line, append([]string{"--store", "file:" + empty}, wrong...)...)
				require.Equal(t, 2, o.Code, "%v: %s", wrong, o.Stderr)
				require.Contains(t, o.Stderr, `See "fdbelect `)
			}
			require.Zero(t, processtest.Typed(t, line, "--help").Code)
		})
	}
}

// TestEverySubcommandWithDamagedRecords: an unreadable record is named, and nothing is
// changed.
func TestEverySubcommandWithDamagedRecords(t *testing.T) {
	for line, records := range steering {
		for _, record := range records {
			t.Run(line+"/"+record, func(t *testing.T) {
				t.Parallel()
				file := processtest.StoreFile(t)
				db, err := filekv.Open(file, filekv.Options{})
				require.NoError(t, err)
				defer db.Close()
				e := election.New(subspace.New("fdbelection", "default"))
				damage(t, db, e, record)
				before := everything(t, db)
				o := processtest.Typed(t, line, "--store", "file:"+file)
				require.Equal(t, 1, o.Code, o.Stdout+o.Stderr)
				require.Contains(t, o.Stderr, record+" at key")
				require.Contains(t, o.Stderr, "nothing was changed")
				require.Equal(t, before, everything(t, db))
			})
		}
	}
}

// people creates an election with a leader a and a candidate b.
func people(t *testing.T, db kv.Database, e *election.LeaderElection) {
	t.Helper()
	do := func(fn func(tr kv.Transaction) error) {
		t.Helper()
		require.NoError(t, db.Transact(t.Context(), fn))
	}
	do(func(tr kv.Transaction) error { _, err := e.Initialize(tr); return err })
	for _, id := range []string{"a", "b"} {
		do(func(tr kv.Transaction) error {
			return e.RegisterCandidate(tr, election.Registration{Identity: election.Identity{ID: id}}, time.Now())
		})
	}
	do(func(tr kv.Transaction) error {
		_, err := e.TryClaimLeadership(tr, election.Identity{ID: "a"}, time.Now())
		return err
	})
}

// damage creates such an election, and damages one of its records.
func damage(t *testing.T, db kv.Database, e *election.LeaderElection, record string) {
	t.Helper()
	people(t, db, e)
	key := e.Subspace().Sub(record).Bytes()
	switch record {
	case "candidate":
		key = e.Subspace().Sub("candidates").Sub("b").Bytes()
	case "history":
		var err error
		key, err = e.Subspace().Sub("history").Pack(subspace.Tuple{subspace.Int(1), subspace.Int(0)})
		require.NoError(t, err)
	}
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error { tr.Set(key, rubbish); return nil }))
}

// everything returns all that a store holds.
func everything(t *testing.T, db kv.Database) []kv.KeyValue {
	t.Helper()
	rows, err := kv.ReadTransact(t.Context(), db, func(tr kv.ReadTransaction) ([]kv.KeyValue, error) {
		return tr.GetRange([]byte{0x00}, []byte{0xff}, kv.RangeOptions{}).Get()
	})
	require.NoError(t, err)
	return rows
}
