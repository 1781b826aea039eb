package memkv

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// TestVersionsFollowTheClock checks that versions grow by a million per second, by
// at least one per commit, and not with reads.
func TestVersionsFollowTheClock(t *testing.T) {
	clock := newTestClock()
	opts := clock.options()
	opts.FirstVersion = 5000
	db := New(opts)
	commit := func() int64 {
		tr := begin(t, db)
		tr.Set([]byte("k"), nil)
		require.NoError(t, tr.Commit())
		v, err := tr.GetCommittedVersion()
		require.NoError(t, err)
		return v
	}
	read := func() int64 {
		v, err := begin(t, db).GetReadVersion().Get()
		require.NoError(t, err)
		return v
	}
	require.EqualValues(t, 5000, read())
	require.EqualValues(t, 5001, commit())
	require.EqualValues(t, 5002, commit())
	require.EqualValues(t, 5002, read(), "every acknowledged commit is visible")
	clock.pass(time.Millisecond)
	require.EqualValues(t, 6002, read())
	require.EqualValues(t, 6003, commit())
	clock.pass(1500 * time.Nanosecond)
	require.EqualValues(t, 6004, commit())
	clock.pass(1500 * time.Nanosecond)
	require.EqualValues(t, 6006, read(), "fractions of a microsecond are not lost")
	clock.pass(-time.Hour)
	require.EqualValues(t, 6007, commit(), "versions grow even if the clock is set back")
	clock.pass(time.Second)
	require.EqualValues(t, 1_006_007, read())
	require.Equal(t, read(), db.Version())
}

// TestWindow checks that a read version is valid for exactly the window, and that
// earlier reads stay valid.
func TestWindow(t *testing.T) {
	clock := newTestClock()
	db := New(clock.options())
	put(t, db, "k", "old")
	reader, writer, blind, idle := begin(t, db), begin(t, db), begin(t, db), begin(t, db)
	require.Equal(t, "old", mustGet(t, reader, "k"))
	_, err := writer.GetReadVersion().Get()
	require.NoError(t, err)
	put(t, db, "k", "new")
	put(t, db, "other", "new")

	clock.pass(5*time.Second - 2*time.Microsecond) // the two commits took one version each
	require.Equal(t, "old", mustGet(t, reader.Snapshot(), "k"))
	require.Equal(t, "(none)", mustGet(t, reader, "other"), "the oldest version in the window")

	clock.pass(time.Microsecond)
	_, err = reader.Get([]byte("third")).Get()
	require.Equal(t, kv.CodeTransactionTooOld, kv.CodeOf(err))
	require.Equal(t, "old", mustGet(t, reader, "k"))

	writer.Set([]byte("w"), nil)
	require.Equal(t, kv.CodeTransactionTooOld, kv.CodeOf(writer.Commit()), "even without read conflicts")
	blind.Set([]byte("b"), nil)
	require.NoError(t, blind.AddReadConflictKey([]byte("k")))
	require.NoError(t, blind.Commit(), "it takes its read version at the commit")
	require.Equal(t, "new", mustGet(t, idle, "k"))
}

// TestRecover checks that a recovery makes open transactions too old, but not later
// ones.
func TestRecover(t *testing.T) {
	db := New(newTestClock().options())
	put(t, db, "k", "1")
	before := db.Version()
	reader, writer, fresh := begin(t, db), begin(t, db), begin(t, db)
	require.Equal(t, "1", mustGet(t, reader, "k"))
	require.Equal(t, "1", mustGet(t, writer, "k"))
	writer.Set([]byte("w"), nil)
	db.Recover()
	db.Recover()
	require.Equal(t, before+2*recoveryJump, db.Version())
	_, err := reader.Get([]byte("x")).Get()
	require.Equal(t, kv.CodeTransactionTooOld, kv.CodeOf(err))
	require.Equal(t, kv.CodeTransactionTooOld, kv.CodeOf(writer.Commit()))
	require.Equal(t, "1", mustGet(t, fresh, "k"))
	fresh.Set([]byte("k"), []byte("2"))
	require.NoError(t, fresh.Commit())
	require.NoError(t, writer.OnError(kv.Error{Code: kv.CodeTransactionTooOld}))
	require.Equal(t, "2", mustGet(t, writer, "k"))
}

// TestFutureVersion checks 1009, which a caller of package kv cannot provoke.
func TestFutureVersion(t *testing.T) {
	c := versionClock{version: 10, window: 5}
	require.NoError(t, c.check(10))
	require.NoError(t, c.check(5))
	require.Equal(t, kv.CodeFutureVersion, kv.CodeOf(c.check(11)))
	require.Equal(t, kv.CodeTransactionTooOld, kv.CodeOf(c.check(4)))
}

// TestRecoverWithAWideWindow checks that a recovery makes open transactions too old
// even if the window is wider than the jump.
func TestRecoverWithAWideWindow(t *testing.T) {
	opts := newTestClock().options()
	opts.Window = 10 * recoveryJump
	db := New(opts)
	put(t, db, "k", "1")
	tr := begin(t, db)
	require.Equal(t, "1", mustGet(t, tr, "k"))
	tr.Set([]byte("w"), nil)
	db.Recover()
	_, err := tr.Get([]byte("x")).Get()
	require.Equal(t, kv.CodeTransactionTooOld, kv.CodeOf(err))
	require.Equal(t, kv.CodeTransactionTooOld, kv.CodeOf(tr.Commit()))
}

// TestWindowOption checks that Options.Window sets the window.
func TestWindowOption(t *testing.T) {
	clock := newTestClock()
	opts := clock.options()
	opts.Window = 1000
	db := New(opts)
	tr := begin(t, db)
	_, err := tr.GetReadVersion().Get()
	require.NoError(t, err)
	clock.pass(time.Millisecond)
	require.Equal(t, "(none)", mustGet(t, tr, "a"))
	clock.pass(time.Microsecond)
	_, err = tr.Get([]byte("b")).Get()
	require.Equal(t, kv.CodeTransactionTooOld, kv.CodeOf(err))
}
