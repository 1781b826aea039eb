package fdbkv_test

import (
	"context"
	"errors"
	"testing"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
)

// TestNoPanicCrosses: if the binding panics or would crash, the caller gets an error. A
// zero fdb.Transaction panics in every call.
func TestNoPanicCrosses(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for name, tr := range map[string]kv.Transaction{
		"Wrap":        fdbkv.Wrap(fdb.Transaction{}),
		"WrapContext": fdbkv.WrapContext(ctx, fdb.Transaction{}),
	} {
		t.Run(name, func(t *testing.T) {
			key := []byte("k")
			refuseReads(t, tr)
			refuseReads(t, tr.Snapshot())
			require.Error(t, tr.AddReadConflictKey(key))
			require.Error(t, tr.AddReadConflictRange(key, key))
			require.Error(t, tr.AddWriteConflictKey(key))
			require.Error(t, tr.AddWriteConflictRange(key, key))
			_, err := tr.GetVersionstamp().Get()
			require.Error(t, err)
			watch := tr.Watch(key)
			<-watch.Done()
			require.Error(t, watch.Err())
			watch.Cancel()
			for _, write := range []func(){
				func() { tr.Set(key, nil) },
				func() { tr.Clear(key) },
				func() { tr.ClearRange(key, key) },
				func() { tr.SetVersionstampedKey(key, nil) },
				func() { tr.SetVersionstampedValue(key, nil) },
			} {
				require.NotPanics(t, write)
			}
			_, err = tr.Get(key).Get()
			require.ErrorContains(t, err, "the binding panicked")
			require.NotZero(t, kv.CodeOf(err))
		})
	}
	t.Run("WrapRead", func(t *testing.T) {
		refuseReads(t, fdbkv.WrapRead(nil))
		refuseReads(t, fdbkv.WrapRead(nil).Snapshot())
		refuseReads(t, fdbkv.WrapRead(fdb.Snapshot{}))
		refuseReads(t, fdbkv.WrapReadContext(ctx, fdb.Transaction{}))
	})
}

// refuseReads requires every read to fail.
func refuseReads(t *testing.T, tr kv.ReadTransaction) {
	t.Helper()
	_, err := tr.Get([]byte("k")).Get()
	require.NotZero(t, kv.CodeOf(err), "%v", err)
	_, err = tr.GetRange([]byte("a"), []byte("z"), kv.RangeOptions{}).Get()
	require.NotZero(t, kv.CodeOf(err), "%v", err)
	_, err = tr.GetReadVersion().Get()
	require.NotZero(t, kv.CodeOf(err), "%v", err)
}

// TestDatabaseThatIsNone: a database that was never opened returns errors.
func TestDatabaseThatIsNone(t *testing.T) {
	for name, db := range map[string]*fdbkv.Database{
		"FromDatabase": fdbkv.FromDatabase(fdb.Database{}),
		"FromTenant":   fdbkv.FromTenant(fdb.Tenant{}),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := db.CreateTransaction(t.Context())
			require.Error(t, err)
			require.Error(t, db.Ping(t.Context()))
			require.Error(t, db.Transact(t.Context(), func(kv.Transaction) error { return nil }))
			_, err = db.Tenant([]byte("tenant"))
			require.Error(t, err)
			require.NoError(t, db.Close())
		})
	}
}

// TestOtherPanicsGoOn: a panic of the caller is not recovered, and its transaction is
// cancelled.
func TestOtherPanicsGoOn(t *testing.T) {
	db, bug := open(t, fdbkv.Options{}), errors.New("a bug")
	var left kv.Transaction
	require.PanicsWithError(t, bug.Error(), func() {
		_ = db.Transact(t.Context(), func(tr kv.Transaction) error {
			left = tr
			panic(bug)
		})
	})
	_, err := left.Get([]byte("k")).Get()
	require.ErrorIs(t, err, kv.Error{Code: kv.CodeTransactionCancelled})
}
