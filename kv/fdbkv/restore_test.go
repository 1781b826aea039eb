package fdbkv_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// TestRestore rehearses a restore as described in docs/operations.md. It restores a backup
// from one tenure after another tenure has passed.
func TestRestore(t *testing.T) {
	p, db := prefix(t), open(t, fdbkv.Options{})
	space, work := subspace.FromBytes(below(p, "election/")), below(p, "work")
	lead := func(space subspace.Subspace, id string) (token election.Token, stop func()) {
		el, _ := newElector(t, space, id)
		ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
		t.Cleanup(func() {
			_ = el.Stop(ctx) // before its database is closed
			cancel()
		})
		lead, err := el.Campaign(ctx)
		require.NoError(t, err)
		return lead.Token(), func() {
			require.NoError(t, lead.Resign(ctx))
			require.NoError(t, el.Stop(ctx))
		}
	}
	fenced := func(space subspace.Subspace, token election.Token) error {
		return db.Transact(t.Context(), func(tr kv.Transaction) error {
			tr.Set(work, []byte(token.ID))
			return election.New(space).RequireLeadership(tr, token)
		})
	}

	first, stop := lead(space, "first")
	backup := dump(t, db, space)
	stop()
	second, stop := lead(space, "second")
	require.NoError(t, fenced(space, second))
	stop()
	require.Equal(t, []uint64{1, 2}, []uint64{first.Term, second.Term})

	// No process runs now, as the procedure requires.
	restore(t, db, space, backup)
	require.Equal(t, backup, dump(t, db, space))
	require.NoError(t, fenced(space, first), "the backup brings back the tenure in which it was taken")
	require.ErrorIs(t, fenced(space, second), fdbelection.ErrFenced)

	// The next leader waits for the restored lease and gets a term that was already used.
	third, stop := lead(space, "third")
	require.Equal(t, second.Term, third.Term)
	require.NoError(t, fenced(space, third))
	require.ErrorIs(t, fenced(space, first), fdbelection.ErrFenced)
	require.ErrorIs(t, fenced(space, second), fdbelection.ErrFenced, "the term is the same, but the tenure is not")
	stop()

	// Before any process runs, the term is therefore raised above all earlier ones.
	restore(t, db, space, backup)
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		_, err := election.New(space).RaiseTerm(tr, second.Term, time.Now())
		return err
	}))
	for _, old := range []election.Token{first, second, third} {
		require.ErrorIs(t, fenced(space, old), fdbelection.ErrFenced)
	}
	next, stop := lead(space, "third")
	require.Equal(t, second.Term+1, next.Term)
	require.NoError(t, fenced(space, next))
	stop()
}

// dump reads all keys and values of an election.
func dump(t testing.TB, db *fdbkv.Database, space subspace.Subspace) []kv.KeyValue {
	t.Helper()
	begin, end := space.Range()
	rows, err := kv.ReadTransact(t.Context(), db, func(tr kv.ReadTransaction) ([]kv.KeyValue, error) {
		return tr.GetRange(begin, end, kv.RangeOptions{}).Get()
	})
	require.NoError(t, err)
	require.NotEmpty(t, rows)
	return rows
}

// restore replaces the present keys with those of a dump.
func restore(t testing.TB, db *fdbkv.Database, space subspace.Subspace, rows []kv.KeyValue) {
	t.Helper()
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		tr.ClearRange(space.Range())
		for _, row := range rows {
			tr.Set(row.Key, row.Value)
		}
		return nil
	}))
}
