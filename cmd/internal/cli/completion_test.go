package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// TestCompletionOfNames: names in the store are completed, except names that a shell would
// split or that control a terminal. The time is virtual, so a busy machine is not too
// slow.
func TestCompletionOfNames(t *testing.T) { synctest.Test(t, testCompletionOfNames) }

func testCompletionOfNames(t *testing.T) {
	db := memkv.New(memkv.Options{})
	for _, name := range []string{"billing", "default", "evil\n\x1b[2Jrm"} {
		e := election.New(subspace.New("fdbelection", name))
		require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
			if _, err := e.Initialize(tr); err != nil {
				return err
			}
			me := election.Registration{Identity: election.Identity{ID: "of-" + strings.TrimSuffix(name, "\n\x1b[2Jrm"), Incarnation: uuid.New()}}
			return e.RegisterCandidate(tr, me, clitest.Virtual{}.Wall())
		}))
		require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
			key := e.Subspace().Sub("candidates")
			value, err := tr.Get(key.Sub("of-" + strings.TrimSuffix(name, "\n\x1b[2Jrm")).Bytes()).Get()
			if err == nil {
				tr.Set(key.Sub("a\tb").Bytes(), value)
			}
			return err
		}))
	}
	complete := func(args ...string) []string {
		a := &app{Program: &session.Program{Stdout: &strings.Builder{}, Stderr: &strings.Builder{}, Clock: clitest.Virtual{}, Stores: []session.Store{clitest.StoreOf(db)}}}
		require.NoError(t, a.exec(t.Context(), append([]string{"__complete"}, args...)))
		lines := strings.Split(strings.TrimSpace(a.Stdout.(*strings.Builder).String()), "\n")
		return lines[:len(lines)-1] // the last one is a directive
	}
	require.Equal(t, []string{"file:", "mem:", "test:"}, complete("status", "--store", ""))
	require.Equal(t, []string{"table", "json", "yaml"}, complete("status", "--output", ""))
	require.Equal(t, []string{"billing", "default"}, complete("status", "--store", "test:", "--election", ""))
	require.Equal(t, []string{"of-billing"}, complete("transfer", "--store", "test:", "--election", "billing", "--to", ""))
	require.Equal(t, []string{"of-billing"}, complete("evict", "--store", "test:", "--election", "billing", ""))
	require.Empty(t, complete("status", "--store", "file:/no/such/file", "--election", ""))
	require.Empty(t, complete("status", "--election", ""), "no store is named")

	dir := t.TempDir()
	for _, name := range []string{"one.db", "two.db", "o[n.db", "o\x1b[2J"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	in := "file:" + dir + string(filepath.Separator)
	require.Equal(t, []string{in + "o[n.db", in + "one.db"}, complete("status", "--store", in+"o"))
	require.Equal(t, []string{in + "o[n.db"}, complete("status", "--store", in+"o["))
	require.Equal(t, []string{"mem:"}, complete("status", "--store", "mem:"))
}
