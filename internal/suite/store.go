package suite

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// Store is the part of a database that one test uses: a subspace.
type Store struct {
	T      *testing.T
	DB     kv.Database
	Engine Engine
	Space  subspace.Subspace
}

// Open opens the database of an engine. It clears the subspace after the test.
func Open(t *testing.T, engine Engine, name string) *Store {
	t.Helper()
	s := &Store{
		T: t, DB: engine.Open(t), Engine: engine,
		Space: subspace.FromBytes(engine.Prefix).Sub(name, uuid.NewString()),
	}
	t.Cleanup(func() {
		s.Do(func(tr kv.Transaction) error {
			tr.ClearRange(s.Space.Bytes(), append(s.Space.Bytes(), 0xff))
			return nil
		})
	})
	return s
}

// Below returns the part of the store in a subspace of this one.
func (s *Store) Below(path ...subspace.Element) *Store {
	s.T.Helper()
	space, err := s.Space.SubTuple(path)
	require.NoError(s.T, err)
	return &Store{T: s.T, DB: s.DB, Engine: s.Engine, Space: space}
}

// Try runs fn in a transaction and returns its error.
func (s *Store) Try(fn func(tr kv.Transaction) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return s.DB.Transact(ctx, fn)
}

// Do runs fn in a transaction that must commit.
func (s *Store) Do(fn func(tr kv.Transaction) error) {
	s.T.Helper()
	require.NoError(s.T, s.Try(fn))
}

// Read runs fn with reads only.
func Read[V any](s *Store, fn func(tr kv.ReadTransaction) (V, error)) (V, error) {
	return kv.ReadTransact(context.Background(), s.DB, fn)
}

// Begin begins a transaction and takes its read version. The test commits it or not.
func (s *Store) Begin() kv.OwnedTransaction {
	s.T.Helper()
	tr, err := s.DB.CreateTransaction(context.Background())
	require.NoError(s.T, err)
	s.T.Cleanup(tr.Cancel)
	_, err = tr.GetReadVersion().Get()
	require.NoError(s.T, err)
	return tr
}

// RequireConflict requires that the commit of tr conflicts.
func (s *Store) RequireConflict(tr kv.OwnedTransaction) {
	s.T.Helper()
	require.Equal(s.T, kv.CodeNotCommitted, kv.CodeOf(tr.Commit()), "the commit must conflict")
}

// Key returns the key of a record.
func (s *Store) Key(path ...string) []byte {
	s.T.Helper()
	return s.Space.Sub(path...).Bytes()
}

// DependsOn requires that tr conflicts with a write of a record.
func (s *Store) DependsOn(tr kv.OwnedTransaction, path ...string) {
	s.T.Helper()
	s.Touch(s.Key(path...))
	require.Equal(s.T, kv.CodeNotCommitted, kv.CodeOf(tr.Commit()), path)
}

// Touch conflicts with transactions that have read a key, as a write of it does.
func (s *Store) Touch(key []byte) {
	s.T.Helper()
	s.Do(func(tr kv.Transaction) error { return tr.AddWriteConflictKey(key) })
}

// Raw returns the stored value of a record.
func (s *Store) Raw(path ...string) []byte {
	s.T.Helper()
	key := s.Key(path...)
	value, err := Read(s, func(tr kv.ReadTransaction) ([]byte, error) { return tr.Get(key).Get() })
	require.NoError(s.T, err)
	return value
}

// Spoil replaces the value of a record, and returns its key.
func (s *Store) Spoil(value []byte, path ...string) []byte {
	s.T.Helper()
	key := s.Key(path...)
	s.Do(func(tr kv.Transaction) error {
		tr.Set(key, value)
		return nil
	})
	return key
}

// Remove clears a record.
func (s *Store) Remove(path ...string) {
	s.T.Helper()
	key := s.Key(path...)
	s.Do(func(tr kv.Transaction) error { tr.Clear(key); return nil })
}

// Dump returns all rows of the subspace.
func (s *Store) Dump() []kv.KeyValue {
	s.T.Helper()
	begin, end := s.Space.Range()
	rows, err := Read(s, func(tr kv.ReadTransaction) ([]kv.KeyValue, error) {
		return tr.GetRange(begin, end, kv.RangeOptions{}).Get()
	})
	require.NoError(s.T, err)
	return rows
}

// Restore replaces all rows of the subspace.
func (s *Store) Restore(rows []kv.KeyValue) {
	s.T.Helper()
	s.Do(func(tr kv.Transaction) error {
		begin, end := s.Space.Range()
		tr.ClearRange(begin, end)
		for _, row := range rows {
			tr.Set(row.Key, row.Value)
		}
		return nil
	})
}
