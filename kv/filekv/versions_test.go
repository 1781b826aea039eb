//go:build unix

package filekv

import (
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/internal/client"
)

func TestVersionsFollowTheClock(t *testing.T) {
	at := time.UnixMicro
	for _, c := range []struct {
		name string
		now  time.Time
		want state
	}{
		{"time passes", at(1_500_000), state{version: 1500, micros: 1_500_000}},
		{"no time passes", at(1_499_000), state{version: 501, micros: 1_499_000}},
		{"the clock was set back", at(7), state{version: 501, micros: 7}},
		{"the clock is before 1970", at(-7), state{version: 501, micros: -7}},
		{"the clock jumps by centuries", time.UnixMicro(math.MaxInt64 / 2), state{version: 500 + longestJump, micros: math.MaxInt64 / 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, state{version: 500, micros: 1_499_000}.advance(c.now))
		})
	}
}

// TestVersionsOnlyGrow: versions and versionstamps grow across restarts, and even if
// the clocks of the processes are wrong.
func TestVersionsOnlyGrow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	last := int64(0)
	for _, year := range []int{2026, 1969, 2400, 1999, 2026, 2026} {
		db, err := Open(path, Options{Now: func() time.Time { return time.Date(year, time.May, 1, 0, 0, 0, 0, time.UTC) }})
		require.NoError(t, err)
		for range 3 {
			_, read := get(t, db.store, "k", 0)
			require.GreaterOrEqual(t, read, last)
			wrote := put(t, db.store, "k", "v")
			require.Greater(t, wrote, read)
			last = wrote
		}
		require.NoError(t, db.Close())
	}
}

// TestVersionsOfANewStoreInPlaceOfAnOldOne: a store that replaces a removed one
// continues above its versions, so that versions and versionstamps are not issued
// twice.
func TestVersionsOfANewStoreInPlaceOfAnOldOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	clock := newStillClock()
	last := int64(0)
	for range 3 {
		db, err := Open(path, Options{Now: clock.Now})
		require.NoError(t, err)
		_, read := get(t, db.store, "k", 0)
		require.Greater(t, read, last, "the empty store")
		for range 5 {
			wrote := put(t, db.store, "k", "v")
			require.Greater(t, wrote, last)
			last = wrote
		}
		require.NoError(t, db.Close())
		require.NoError(t, os.Remove(path))
		clock.move(time.Millisecond)
	}
}

// TestReadVersionsAge: a read version expires five seconds after it was last issued, on
// the clock of its process, with or without commits.
func TestReadVersionsAge(t *testing.T) {
	clock := newStillClock()
	s := tempStore(t, Options{Now: clock.Now})
	_, version := get(t, s, "k", 0)
	clock.move(lifetime)
	get(t, s, "k", version)
	clock.move(time.Millisecond)
	_, err := s.Read(t.Context(), version, nil)
	require.Equal(t, kv.Error{Code: kv.CodeTransactionTooOld}, err)
	commit := setting("k", "v")
	commit.ReadVersion = version
	_, err = s.Commit(t.Context(), commit)
	require.Equal(t, kv.Error{Code: kv.CodeTransactionTooOld}, err)

	_, again := get(t, s, "k", 0)
	require.Equal(t, version, again, "nothing was committed")
	commit.ReadVersion = again
	_, err = s.Commit(t.Context(), commit)
	require.NoError(t, err)
	require.Len(t, s.issued.versions, 1, "expired versions are removed")
}

// TestLogIsPruned: the log keeps five seconds. After a burst, it shrinks to that by some
// entries per commit. Reads at a pruned version fail with 1007.
func TestLogIsPruned(t *testing.T) {
	clock := newStillClock()
	s := tempStore(t, Options{Now: clock.Now})
	entries := func() (n int) {
		require.NoError(t, s.view(s.id, func(b *buckets) error {
			n = b.log.Stats().KeyN
			return nil
		}))
		return n
	}
	first := put(t, s, "k", "first")
	for range 2 * pruneStep {
		put(t, s, "k", "burst")
	}
	require.Equal(t, 2*pruneStep+1, entries())
	clock.move(lifetime + time.Second)
	put(t, s, "k", "later")
	require.Equal(t, pruneStep+2, entries())
	put(t, s, "k", "later")
	put(t, s, "k", "last")
	require.Equal(t, 3, entries())

	s.issued.add(first, clock.Now()) // as if this process was slow
	_, err := s.Read(t.Context(), first, nil)
	require.Equal(t, kv.Error{Code: kv.CodeTransactionTooOld}, err)
	commit := setting("k", "v")
	commit.ReadVersion = first
	_, err = s.Commit(t.Context(), commit)
	require.Equal(t, kv.Error{Code: kv.CodeTransactionTooOld}, err)
	future := first + 1<<40 // as if an older copy of the file was restored
	s.issued.add(future, clock.Now())
	_, err = s.Read(t.Context(), future, nil)
	require.Equal(t, kv.Error{Code: kv.CodeFutureVersion}, err)
	commit.ReadVersion = future
	_, err = s.Commit(t.Context(), commit)
	require.Equal(t, kv.Error{Code: kv.CodeFutureVersion}, err)
}

// TestDamagedLog: transactions that need a damaged log entry fail. The entry is not
// overwritten.
func TestDamagedLog(t *testing.T) {
	s := tempStore(t, Options{})
	_, version := get(t, s, "k", 0)
	wrote := put(t, s, "k", "v")
	require.NoError(t, s.transaction(true, s.id, func(tx *bbolt.Tx, b *buckets) error {
		require.NoError(t, b.log.Put(logKey(wrote), []byte{200}))
		return tx.Commit()
	}))
	_, err := s.Read(t.Context(), version, []*client.Read{{Key: []byte("k")}})
	requireError(t, err, s, kv.CodeIOError, kv.NotCommitted)
	require.ErrorIs(t, err, ErrDamaged)
	commit := setting("k", "w")
	commit.ReadVersion, commit.ReadConflicts = version, commit.WriteConflicts
	_, err = s.Commit(t.Context(), commit)
	requireError(t, err, s, kv.CodeIOError, kv.NotCommitted)
	require.ErrorIs(t, err, ErrDamaged)
	value, _ := get(t, s, "k", 0)
	require.Equal(t, "v", value)
}
