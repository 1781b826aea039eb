package fdbkv_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
)

// TestUnawaitedRange: if a range read is not awaited, the commit conflicts only with
// writes to its first batch. If it was awaited, the commit conflicts with writes to the
// whole range. Package kv documents this.
func TestUnawaitedRange(t *testing.T) {
	p := prefix(t)
	db := open(t, fdbkv.Options{})
	const last = 299 // far after the first batch
	row := func(n int) []byte { return below(p, fmt.Sprintf("row/%03d", n)) }
	value := make([]byte, 1000)
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		for n := range last + 1 {
			tr.Set(row(n), value)
		}
		return nil
	}))
	commit := func(await bool, opts kv.RangeOptions, foreign int) error {
		tr, err := db.CreateTransaction(t.Context())
		require.NoError(t, err)
		defer tr.Cancel()
		_, err = tr.GetReadVersion().Get()
		require.NoError(t, err)
		rows := tr.GetRange(row(0), below(p, "row0"), opts)
		if await {
			_, err := rows.Get()
			require.NoError(t, err)
		}
		require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
			tr.Set(row(foreign), value)
			return nil
		}))
		tr.Set(below(p, "own"), nil)
		return tr.Commit()
	}
	conflict := kv.Error{Code: kv.CodeNotCommitted}
	backwards := kv.RangeOptions{Reverse: true}
	require.ErrorIs(t, commit(false, kv.RangeOptions{}, 0), conflict)
	require.NoError(t, commit(false, kv.RangeOptions{}, last))
	require.ErrorIs(t, commit(false, backwards, last), conflict)
	require.NoError(t, commit(false, backwards, 0))
	for _, opts := range []kv.RangeOptions{{}, backwards} {
		require.ErrorIs(t, commit(true, opts, 0), conflict)
		require.ErrorIs(t, commit(true, opts, last), conflict)
	}
}

// TestStampAfterReset: the versionstamp of an attempt that was reset fails with 1100, or
// with 1025 if a read was in progress. Package kv documents this.
func TestStampAfterReset(t *testing.T) {
	db := nowhere(t)
	const brokenPromise = 1100
	for code, before := range map[int]func(tr kv.Transaction){
		brokenPromise:               func(tr kv.Transaction) { tr.Set([]byte("k"), nil) },
		kv.CodeTransactionCancelled: func(tr kv.Transaction) { tr.Get([]byte("k")) },
	} {
		for name, giveUp := range map[string]func(tr kv.OwnedTransaction){
			"reset": kv.OwnedTransaction.Reset,
			"retry": func(tr kv.OwnedTransaction) {
				require.NoError(t, tr.OnError(kv.Error{Code: kv.CodeNotCommitted}))
			},
		} {
			tr, err := db.CreateTransaction(context.Background())
			require.NoError(t, err)
			stamp := tr.GetVersionstamp()
			before(tr)
			giveUp(tr)
			_, err = stamp.Get()
			require.Equal(t, code, kv.CodeOf(err), name)
			tr.Cancel()
		}
	}
}
