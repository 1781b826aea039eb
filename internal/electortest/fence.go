package electortest

import (
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

var fenceTests = []test{
	{"a fenced write is of the newest tenure", fencedWrites},
}

// A fenced write goes through in its tenure. After the hand-over it is refused, and
// one that was begun before cannot be committed.
func fencedWrites(w *world) {
	key := w.election.Subspace().Sub("of the test").Bytes()
	write := func(lead *elector.Leadership, value string) error {
		return w.db.Transact(w.patient(), func(tr kv.Transaction) error {
			if err := lead.Fence(tr); err != nil {
				return err
			}
			tr.Set(key, []byte(value))
			return nil
		})
	}
	a, b := w.process("a"), w.process("b")
	older := a.campaigns()
	require.NoError(w, write(older, "older"))

	begun, err := w.db.CreateTransaction(w.patient())
	require.NoError(w, err)
	defer begun.Cancel()
	require.NoError(w, older.Fence(begun))
	begun.Set(key, []byte("begun before"))

	require.NoError(w, older.Resign(w.patient()))
	newer := b.campaigns()
	require.Greater(w, newer.Term(), older.Term())
	require.Equal(w, kv.CodeNotCommitted, kv.CodeOf(begun.Commit()))
	require.ErrorIs(w, write(older, "too late"), fdbelection.ErrFenced)
	require.Equal(w, "older", string(read(w, func(tr kv.ReadTransaction) ([]byte, error) { return tr.Get(key).Get() })))
	require.NoError(w, write(newer, "newer"))
}
