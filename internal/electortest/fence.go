package electortest

import (
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

var fenceTests = []test{
	aFencedWriteCommitsOnlyInTheNewestTenure,
}

// A fenced write commits in its tenure. After the hand-over it is refused, and a transaction that
// was begun before does not commit.
func aFencedWriteCommitsOnlyInTheNewestTenure(tc *cluster) {
	key := tc.election.Subspace().Sub("data of the test").Bytes()
	write := func(lead *elector.Leadership, value string) error {
		return lead.Transact(tc.patient(), func(tr kv.Transaction) error {
			tr.Set(key, []byte(value))
			return nil
		})
	}
	a, b := tc.process("a"), tc.process("b")
	older := a.campaigns()
	require.NoError(tc, write(older, "older"))

	begun, err := tc.db.CreateTransaction(tc.patient())
	require.NoError(tc, err)
	defer begun.Cancel()
	require.NoError(tc, older.Fence(begun))
	begun.Set(key, []byte("begun before"))

	require.NoError(tc, older.Resign(tc.patient()))
	newer := b.campaigns()
	require.Greater(tc, newer.Term(), older.Term())
	require.Equal(tc, kv.CodeNotCommitted, kv.CodeOf(begun.Commit()))
	require.ErrorIs(tc, write(older, "too late"), fdbelection.ErrFenced)
	require.Equal(tc, "older", string(read(tc, func(tr kv.ReadTransaction) ([]byte, error) { return tr.Get(key).Get() })))
	require.NoError(tc, write(newer, "newer"))
}
