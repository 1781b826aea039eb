package memkv

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// register commits a transaction that watches a key and calls also.
func register(t *testing.T, db *DB, key string, also func(tr kv.Transaction)) kv.Watch {
	t.Helper()
	var w kv.Watch
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		w = tr.Watch([]byte(key))
		if also != nil {
			also(tr)
		}
		return nil
	}))
	return w
}

// TestWatchFires checks which changes fire a watch.
func TestWatchFires(t *testing.T) {
	fired, pending := &answer{OK: true, Info: "fired"}, &answer{Info: "pending"}
	for name, c := range map[string]struct {
		change func(db *DB)
		want   *answer
	}{
		"nothing":        {func(*DB) {}, pending},
		"another value":  {func(db *DB) { put(t, db, "k", "2") }, fired},
		"the same value": {func(db *DB) { put(t, db, "k", "1") }, pending},
		"another key":    {func(db *DB) { put(t, db, "kk", "2") }, pending},
		"a clear": {func(db *DB) {
			require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error { tr.Clear([]byte("k")); return nil }))
		}, fired},
		"a clear of a range": {func(db *DB) {
			require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
				tr.ClearRange([]byte("a"), []byte("z"))
				return nil
			}))
		}, fired},
		"a change undone within a transaction": {func(db *DB) {
			require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
				tr.Clear([]byte("k"))
				tr.Set([]byte("k"), []byte("1"))
				return nil
			}))
		}, pending},
		"a write conflict": {func(db *DB) {
			require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
				return tr.AddWriteConflictKey([]byte("k"))
			}))
		}, pending},
	} {
		db := New(newTestClock().options())
		put(t, db, "k", "1")
		w := register(t, db, "k", nil)
		c.change(db)
		require.Equal(t, c.want, watchState(w), name)
		if c.want == pending {
			put(t, db, "k", "3")
			require.Equal(t, fired, watchState(w), name)
		}
		require.Zero(t, db.watches.outstanding, name)
	}
}

// TestWatchOfAChangedKey checks that a watch fires at once if the key has changed
// between the read and the commit.
func TestWatchOfAChangedKey(t *testing.T) {
	db := New(newTestClock().options())
	put(t, db, "k", "1")
	tr := begin(t, db)
	w := tr.Watch([]byte("k"))
	mustGet(t, tr, "k")
	put(t, db, "k", "2")
	require.NoError(t, tr.Commit(), "a read-only commit")
	require.Equal(t, &answer{OK: true, Info: "fired"}, watchState(w))
}

// TestWatchIgnoresAbortedCommits checks that a failed commit fires no watch,
// neither at once nor with the next commit.
func TestWatchIgnoresAbortedCommits(t *testing.T) {
	change := func(t *testing.T, tr kv.OwnedTransaction) {
		t.Helper()
		tr.Set([]byte("k"), []byte("2"))
		tr.ClearRange([]byte("l"), []byte("m"))
	}
	for name, c := range map[string]struct {
		abort func(t *testing.T, db *DB, tr kv.OwnedTransaction)
		code  int
	}{
		"a conflict": {func(t *testing.T, db *DB, tr kv.OwnedTransaction) {
			t.Helper()
			mustGet(t, tr, "read")
			put(t, db, "read", "")
			change(t, tr)
		}, kv.CodeNotCommitted},
		"too old": {func(t *testing.T, db *DB, tr kv.OwnedTransaction) {
			t.Helper()
			mustGet(t, tr, "read")
			db.Recover()
			change(t, tr)
		}, kv.CodeTransactionTooOld},
		"an invalid write": {func(t *testing.T, _ *DB, tr kv.OwnedTransaction) {
			t.Helper()
			change(t, tr)
			tr.Set(make([]byte, 20_000), nil)
		}, kv.CodeKeyTooLarge},
		"1021 without being applied": {func(t *testing.T, db *DB, tr kv.OwnedTransaction) {
			t.Helper()
			change(t, tr)
			db.hooks = &Hooks{Before: on(CallCommit, func(context.Context, *Call) error {
				return kv.Error{Code: kv.CodeCommitUnknownResult}
			})}
		}, kv.CodeCommitUnknownResult},
		"cancelled": {func(t *testing.T, _ *DB, tr kv.OwnedTransaction) {
			t.Helper()
			change(t, tr)
			tr.Cancel()
		}, kv.CodeTransactionCancelled},
	} {
		t.Run(name, func(t *testing.T) {
			db := New(newTestClock().options())
			put(t, db, "k", "1")
			put(t, db, "l", "1")
			set, cleared := register(t, db, "k", nil), register(t, db, "l", nil)
			tr := begin(t, db)
			c.abort(t, db, tr)
			require.Equal(t, c.code, kv.CodeOf(tr.Commit()))
			db.hooks = nil
			pending := &answer{Info: "pending"}
			require.Equal(t, pending, watchState(set))
			require.Equal(t, pending, watchState(cleared))
			put(t, db, "another", "")
			require.Equal(t, pending, watchState(set), "after the next commit")
			require.Equal(t, pending, watchState(cleared), "after the next commit")
			put(t, db, "k", "2")
			require.Equal(t, &answer{OK: true, Info: "fired"}, watchState(set))
		})
	}
}

// TestWatchOfAnAbsentKey checks that the watch fires when the key is set.
func TestWatchOfAnAbsentKey(t *testing.T) {
	db := New(newTestClock().options())
	w := register(t, db, "k", nil)
	put(t, db, "k", "")
	require.Equal(t, &answer{OK: true, Info: "fired"}, watchState(w), "an empty value is a change")
}

// TestTooManyWatches checks that a watch past the limit fails while its commit
// succeeds, and that a watch that is over makes room for another.
func TestTooManyWatches(t *testing.T) {
	opts := newTestClock().options()
	opts.MaxWatches = 2
	db := New(opts)
	a, b := register(t, db, "a", nil), register(t, db, "b", nil)
	over := register(t, db, "c", func(tr kv.Transaction) { tr.Set([]byte("written"), nil) })
	require.Equal(t, kv.CodeTooManyWatches, kv.CodeOf(over.Err()))
	require.Equal(t, []string{"written="}, contents(t, db))
	a.Cancel()
	require.Equal(t, &answer{Info: "pending"}, watchState(register(t, db, "c", nil)))
	put(t, db, "b", "")
	require.Equal(t, &answer{OK: true, Info: "fired"}, watchState(b))
	require.Equal(t, &answer{Info: "pending"}, watchState(register(t, db, "d", nil)))
	require.EqualValues(t, 4, db.Counters().Watches)
	require.Equal(t, defaultMaxWatches, New(Options{}).opts.MaxWatches)
}

// TestNotifyBeforeTheWatchIsRegistered checks that Notify then does nothing.
func TestNotifyBeforeTheWatchIsRegistered(t *testing.T) {
	called := false
	db := New(Options{Hooks: &Hooks{Before: func(_ context.Context, c *Call) error {
		if c.Kind == CallWatch {
			called = true
			c.Watch.Notify(nil)
		}
		return nil
	}}})
	var watch kv.Watch
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		watch = tr.Watch([]byte("key"))
		return nil
	}))
	defer watch.Cancel()
	require.True(t, called)
	require.NoError(t, db.Transact(t.Context(), func(tr kv.Transaction) error {
		tr.Set([]byte("key"), []byte("value"))
		return nil
	}))
	<-watch.Done()
	require.NoError(t, watch.Err())
}
