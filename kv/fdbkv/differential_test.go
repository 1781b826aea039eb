package fdbkv_test

import (
	"context"
	"testing"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/differential"
	"github.com/fdbelection/fdbelection/internal/engines"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/fdbkv"
	"github.com/fdbelection/fdbelection/kv/kvtest"
)

// TestMemkvAgainstFoundationDB: the engine in memory returns the same results as the
// database. Differences that it found are fixed and listed in docs/fidelity.md.
func TestMemkvAgainstFoundationDB(t *testing.T) {
	differential.Run(t, engines.Mem(), foundationDB(), 1500)
}

// TestMemkvAgainstWrap does the same with wrapped transactions of the binding.
func TestMemkvAgainstWrap(t *testing.T) {
	wrapped := foundationDB()
	wrapped.Name = "Wrap"
	wrapped.Open = func(t testing.TB) kvtest.Store {
		store := foundationDB().Open(t)
		store.Database = wrappedDB{store.Database}
		return store
	}
	differential.Run(t, engines.Mem(), wrapped, 300)
}

// TestMemkvAgainstTenant does the same with a tenant.
func TestMemkvAgainstTenant(t *testing.T) {
	tenant := foundationDB()
	tenant.Name = "a tenant"
	tenant.Open = func(t testing.TB) kvtest.Store {
		binding, name := raw(t), fdb.Key(prefix(t))
		require.NoError(t, binding.CreateTenant(name), "these tests need `configure tenant_mode=optional_experimental`")
		handle, err := binding.OpenTenant(name)
		require.NoError(t, err)
		db := fdbkv.FromTenant(handle)
		t.Cleanup(func() {
			require.NoError(t, db.Transact(context.Background(), func(tr kv.Transaction) error {
				tr.ClearRange(nil, []byte{0xff})
				return nil
			}))
			require.NoError(t, binding.DeleteTenant(name))
		})
		return kvtest.Store{Database: db}
	}
	differential.Run(t, engines.Mem(), tenant, 300)
}

// wrappedDB is a database whose transactions read and write through Wrap.
type wrappedDB struct{ kv.Database }

func (db wrappedDB) CreateTransaction(ctx context.Context) (kv.OwnedTransaction, error) {
	tr, err := db.Database.CreateTransaction(ctx)
	if err != nil {
		return nil, err
	}
	below, _ := fdbkv.Unwrap(tr)
	return wrappedTransaction{tr, fdbkv.Wrap(below)}, nil
}

// wrappedTransaction is used through Wrap and committed by its owner. Its watches are
// those of the owner, because a watch of Wrap may survive a retry.
type wrappedTransaction struct {
	kv.OwnedTransaction
	wrap kv.Transaction
}

func (t wrappedTransaction) Get(key []byte) kv.Future[[]byte] { return t.wrap.Get(key) }

func (t wrappedTransaction) GetRange(begin, end []byte, opts kv.RangeOptions) kv.Future[[]kv.KeyValue] {
	return t.wrap.GetRange(begin, end, opts)
}

func (t wrappedTransaction) GetReadVersion() kv.Future[int64]   { return t.wrap.GetReadVersion() }
func (t wrappedTransaction) Snapshot() kv.ReadTransaction       { return t.wrap.Snapshot() }
func (t wrappedTransaction) Set(key, value []byte)              { t.wrap.Set(key, value) }
func (t wrappedTransaction) Clear(key []byte)                   { t.wrap.Clear(key) }
func (t wrappedTransaction) ClearRange(begin, end []byte)       { t.wrap.ClearRange(begin, end) }
func (t wrappedTransaction) GetVersionstamp() kv.Future[[]byte] { return t.wrap.GetVersionstamp() }

func (t wrappedTransaction) SetVersionstampedKey(key, value []byte) {
	t.wrap.SetVersionstampedKey(key, value)
}

func (t wrappedTransaction) SetVersionstampedValue(key, value []byte) {
	t.wrap.SetVersionstampedValue(key, value)
}

func (t wrappedTransaction) AddReadConflictKey(key []byte) error {
	return t.wrap.AddReadConflictKey(key)
}

func (t wrappedTransaction) AddReadConflictRange(begin, end []byte) error {
	return t.wrap.AddReadConflictRange(begin, end)
}

func (t wrappedTransaction) AddWriteConflictKey(key []byte) error {
	return t.wrap.AddWriteConflictKey(key)
}

func (t wrappedTransaction) AddWriteConflictRange(begin, end []byte) error {
	return t.wrap.AddWriteConflictRange(begin, end)
}
