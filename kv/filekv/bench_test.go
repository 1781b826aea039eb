//go:build unix

package filekv_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/filekv"
)

func openBench(b *testing.B) *filekv.DB {
	b.Helper()
	db, err := filekv.Open(filepath.Join(b.TempDir(), "store"), filekv.Options{})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, db.Close()) })
	require.NoError(b, db.Transact(b.Context(), func(tr kv.Transaction) error {
		for _, key := range []string{"a", "b", "c", "d"} {
			tr.Set([]byte(key), []byte("value"))
		}
		return nil
	}))
	return db
}

// BenchmarkReadWave runs a transaction that reads four keys in one batch.
func BenchmarkReadWave(b *testing.B) {
	db := openBench(b)
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, db.ReadTransact(b.Context(), func(tr kv.ReadTransaction) error {
			for _, key := range []string{"a", "b", "c"} {
				tr.Get([]byte(key))
			}
			_, err := tr.Get([]byte("d")).Get()
			return err
		}))
	}
}

// BenchmarkCommit runs a transaction that writes two keys and does not read.
func BenchmarkCommit(b *testing.B) {
	db := openBench(b)
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, db.Transact(b.Context(), func(tr kv.Transaction) error {
			tr.Set([]byte("a"), []byte("value"))
			tr.Set([]byte("b"), []byte("value"))
			return nil
		}))
	}
}

// BenchmarkReadWrite runs a transaction that reads four keys in one batch and writes one
// of them.
func BenchmarkReadWrite(b *testing.B) {
	db := openBench(b)
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, db.Transact(b.Context(), func(tr kv.Transaction) error {
			for _, key := range []string{"a", "b", "c"} {
				tr.Get([]byte(key))
			}
			value, err := tr.Get([]byte("d")).Get()
			tr.Set([]byte("d"), value)
			return err
		}))
	}
}
