package client

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// state returns the state of a watch as text.
func state(w kv.Watch) string {
	select {
	case <-w.Done():
		if err := w.Err(); err != nil {
			return kv.Error{Code: kv.CodeOf(err)}.Error()
		}
		return "fired"
	default:
		return "pending"
	}
}

// TestWatchBecomesActive checks that the commit activates a watch with the value
// that was read, and that the watch outlives the transaction.
func TestWatchBecomesActive(t *testing.T) {
	s := newFakeStore("a", "1")
	tr := s.begin()
	a, none := tr.Watch([]byte("a")), tr.Watch([]byte("none"))
	tr.Set([]byte("own"), []byte("2"))
	own := tr.Watch([]byte("own"))
	require.Empty(t, s.watches)
	require.NoError(t, tr.Commit())
	require.Equal(t, []string{"a", "none"}, show(s.commits[0].ReadConflicts), "a watch is a read, except of an own write")
	require.Len(t, s.watches, 3)
	for i, want := range []fakeWatch{{key: "a", expected: "1", present: true}, {key: "none"}, {key: "own", expected: "2", present: true}} {
		got := s.watches[i]
		require.Equal(t, want.key, got.key)
		require.Equal(t, want.expected, got.expected)
		require.Equal(t, want.present, got.present)
		require.EqualValues(t, 101, got.version)
	}
	tr.Cancel()
	tr.Reset()
	s.watches[0].notify(nil)
	s.watches[0].notify(errCode(1))
	s.watches[1].notify(errCode(kv.CodeClusterVersionChanged))
	require.Equal(t, "fired", state(a))
	require.Equal(t, kv.CodeClusterVersionChanged, kv.CodeOf(none.Err()))
	require.Equal(t, "pending", state(own))
	own.Cancel()
	own.Cancel()
	require.Equal(t, kv.CodeWatchCancelled, kv.CodeOf(own.Err()))
	require.True(t, *s.watches[2].stopped)
}

// TestOwnChange checks that an own write of another value fires the watch at once.
func TestOwnChange(t *testing.T) {
	for name, c := range map[string]struct {
		change func(tr *Transaction)
		want   string
	}{
		"nothing":          {func(*Transaction) {}, "pending"},
		"the same value":   {func(tr *Transaction) { tr.Set([]byte("k"), []byte("1")) }, "pending"},
		"another value":    {func(tr *Transaction) { tr.Set([]byte("k"), []byte("2")) }, "fired"},
		"another key":      {func(tr *Transaction) { tr.Set([]byte("kk"), []byte("2")) }, "pending"},
		"clear":            {func(tr *Transaction) { tr.Clear([]byte("k")) }, "fired"},
		"clear range":      {func(tr *Transaction) { tr.ClearRange([]byte("a"), []byte("z")) }, "fired"},
		"clear elsewhere":  {func(tr *Transaction) { tr.ClearRange([]byte("l"), []byte("z")) }, "pending"},
		"stamped value":    {func(tr *Transaction) { tr.SetVersionstampedValue([]byte("k"), stampedTemplate("", "", 0)) }, "fired"},
		"change and undo":  {func(tr *Transaction) { tr.Clear([]byte("k")); tr.Set([]byte("k"), []byte("1")) }, "fired"},
		"twice the same":   {func(tr *Transaction) { tr.Set([]byte("k"), []byte("1")); tr.Set([]byte("k"), []byte("1")) }, "pending"},
		"same, then other": {func(tr *Transaction) { tr.Set([]byte("k"), []byte("1")); tr.Clear([]byte("k")) }, "fired"},
	} {
		for _, awaited := range []bool{true, false} {
			s := newFakeStore("k", "1")
			tr := s.begin()
			w := tr.Watch([]byte("k"))
			if awaited { // the value is known before the change
				get(t, tr.Get([]byte("x")))
			}
			c.change(tr)
			require.NoError(t, tr.Commit())
			require.Equal(t, c.want, state(w), "%s, awaited: %v", name, awaited)
		}
	}
}

// TestWatchFails checks how the end of the transaction fails its watches.
func TestWatchFails(t *testing.T) {
	s := newFakeStore("k", "1")
	tr := s.begin()
	s.onCommit = func(context.Context) error { return errCode(kv.CodeNotCommitted) }
	w := tr.Watch([]byte("k"))
	tr.Set([]byte("x"), nil)
	require.Error(t, tr.Commit())
	require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(w.Err()), "the error of the commit")

	tr = s.begin()
	w = tr.Watch([]byte("k"))
	tr.Reset()
	require.Equal(t, kv.CodeTransactionCancelled, kv.CodeOf(w.Err()))

	w = tr.Watch([]byte("k"))
	require.NoError(t, tr.OnError(errCode(kv.CodeNotCommitted)))
	require.Equal(t, kv.CodeTransactionCancelled, kv.CodeOf(w.Err()))

	tr.SetVersionstampedValue([]byte("k"), stampedTemplate("", "", 0))
	require.Equal(t, kv.CodeAccessedUnreadable, kv.CodeOf(tr.Watch([]byte("k")).Err()))
	require.Equal(t, kv.CodeKeyOutsideLegalRange, kv.CodeOf(tr.Watch([]byte("\xff")).Err()))
	require.Equal(t, kv.CodeKeyTooLarge, kv.CodeOf(tr.Watch(make([]byte, MaxKeySize+1)).Err()))
	require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(tr.Commit()), "such watches do not affect the commit")
}

// TestTooManyWatches checks that the watch fails if the store has too many, and that
// the commit succeeds.
func TestTooManyWatches(t *testing.T) {
	s := newFakeStore("k", "1")
	s.onWatch = func(func(error)) error { return errCode(kv.CodeTooManyWatches) }
	tr := s.begin()
	w := tr.Watch([]byte("k"))
	require.NoError(t, tr.Commit())
	require.Equal(t, kv.CodeTooManyWatches, kv.CodeOf(w.Err()))
}

// TestWatchFiresWhileRegistering checks that the store may call notify before it
// returns from Watch, and that it is then told to stop.
func TestWatchFiresWhileRegistering(t *testing.T) {
	s := newFakeStore("k", "1")
	s.onWatch = func(notify func(error)) error { notify(nil); return nil }
	tr := s.begin()
	w := tr.Watch([]byte("k"))
	require.NoError(t, tr.Commit())
	require.Equal(t, "fired", state(w))
	require.True(t, *s.watches[0].stopped)
}

// TestWatchCancelledEarly checks that a watch cancelled before the commit is not
// registered.
func TestWatchCancelledEarly(t *testing.T) {
	s := newFakeStore("k", "1")
	tr := s.begin()
	w := tr.Watch([]byte("k"))
	w.Cancel()
	require.NoError(t, tr.Commit())
	require.Empty(t, s.watches)
	require.Equal(t, kv.CodeWatchCancelled, kv.CodeOf(w.Err()))
}
