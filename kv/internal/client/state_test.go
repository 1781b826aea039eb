package client

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// uses returns the operations of a transaction. Each returns the code that it
// failed with.
func uses(tr *Transaction) map[string]func() int {
	code := func(f kv.Future[[]byte]) int { _, err := f.Get(); return kv.CodeOf(err) }
	return map[string]func() int{
		"Get":             func() int { return code(tr.Get([]byte("k"))) },
		"snapshot Get":    func() int { return code(tr.Snapshot().Snapshot().Get([]byte("k"))) },
		"GetVersionstamp": func() int { return code(tr.GetVersionstamp()) },
		"GetRange": func() int {
			_, err := tr.Snapshot().GetRange([]byte("a"), []byte("b"), kv.RangeOptions{}).Get()
			return kv.CodeOf(err)
		},
		"Watch": func() int {
			w := tr.Watch([]byte("k"))
			<-w.Done()
			return kv.CodeOf(w.Err())
		},
		"Commit": func() int { return kv.CodeOf(tr.Commit()) },
	}
}

// TestUsedDuringCommit checks that every use of a transaction after its commit has
// begun fails with 2017, and that OnError does so, too, after such a use.
func TestUsedDuringCommit(t *testing.T) {
	for name := range uses(newFakeStore().begin()) {
		tr := newFakeStore().begin()
		tr.Set([]byte("k"), nil)
		require.NoError(t, tr.Commit())
		require.Equal(t, kv.CodeUsedDuringCommit, uses(tr)[name](), name)
		require.Equal(t, kv.CodeUsedDuringCommit, kv.CodeOf(tr.OnError(errCode(kv.CodeNotCommitted))), name)
		tr.Reset()
		require.NoError(t, tr.Commit(), name)
	}
	tr := newFakeStore().begin()
	tr.Set([]byte("k"), nil)
	require.NoError(t, tr.Commit())
	tr.Set([]byte("k"), nil)
	require.Equal(t, kv.CodeUsedDuringCommit, uses(tr)["Get"]())
	require.NoError(t, tr.AddReadConflictKey([]byte("k")), "the error is deferred, as for writes")
}

// TestAfterCommit checks what can still be called after a commit.
func TestAfterCommit(t *testing.T) {
	s := newFakeStore()
	tr := s.begin()
	version, err := tr.GetCommittedVersion()
	require.NoError(t, err)
	require.EqualValues(t, -1, version)
	tr.Get([]byte("k"))
	tr.Set([]byte("k"), nil)
	require.NoError(t, tr.Commit())
	version, err = tr.GetCommittedVersion()
	require.NoError(t, err)
	require.EqualValues(t, 101, version)
	version, err = tr.Snapshot().GetReadVersion().Get()
	require.NoError(t, err)
	require.EqualValues(t, 100, version)
	require.NoError(t, tr.OnError(errCode(kv.CodeNotCommitted)), "OnError works even if the commit succeeded")
	version, err = tr.GetCommittedVersion()
	require.NoError(t, err)
	require.EqualValues(t, -1, version)
}

// TestReadOnlyCommit checks that a read-only commit sends nothing to the store.
func TestReadOnlyCommit(t *testing.T) {
	s := newFakeStore()
	tr := s.begin()
	tr.Get([]byte("k"))
	_ = tr.AddReadConflictKey([]byte("x"))
	stamp := tr.GetVersionstamp()
	require.NoError(t, tr.Commit())
	require.Empty(t, s.commits)
	version, err := tr.GetCommittedVersion()
	require.NoError(t, err)
	require.EqualValues(t, -1, version)
	_, err = stamp.Get()
	require.Equal(t, kv.CodeNoCommitVersion, kv.CodeOf(err))

	tr = s.begin()
	require.NoError(t, tr.AddWriteConflictKey([]byte("k")))
	require.NoError(t, tr.Commit())
	require.Len(t, s.commits, 1, "a write conflict alone is sent to the store")
}

// TestCancel checks that pending and later operations fail until Reset.
func TestCancel(t *testing.T) {
	s := newFakeStore("k", "1")
	tr := s.begin()
	pending := tr.Get([]byte("k"))
	rows := tr.GetRange([]byte("a"), []byte("z"), kv.RangeOptions{})
	version, stamp := tr.GetReadVersion(), tr.GetVersionstamp()
	tr.Cancel()
	tr.Cancel()
	_, err := pending.Get()
	require.Equal(t, kv.CodeTransactionCancelled, kv.CodeOf(err))
	_, err = rows.Get()
	require.Equal(t, kv.CodeTransactionCancelled, kv.CodeOf(err))
	_, err = version.Get()
	require.Equal(t, kv.CodeTransactionCancelled, kv.CodeOf(err))
	_, err = stamp.Get()
	require.Equal(t, kv.CodeTransactionCancelled, kv.CodeOf(err))
	for name, use := range uses(tr) {
		require.Equal(t, kv.CodeTransactionCancelled, use(), name)
	}
	require.Equal(t, kv.CodeTransactionCancelled, kv.CodeOf(tr.OnError(errCode(kv.CodeNotCommitted))))
	require.Empty(t, s.waves)
	tr.Reset()
	require.Equal(t, "1", get(t, tr.Get([]byte("k"))))
	_, err = pending.Get()
	require.Equal(t, kv.CodeTransactionCancelled, kv.CodeOf(err), "a future keeps its result")
}

// TestReset checks that a reset discards writes, conflicts, the read
// version, limits and the deferred error.
func TestReset(t *testing.T) {
	s := newFakeStore("k", "1")
	tr := s.begin()
	tr.SetRetryLimit(0)
	tr.SetTimeout(time.Second)
	tr.Get([]byte("k"))
	tr.Set([]byte("k"), []byte("own"))
	_ = tr.AddReadConflictKey([]byte("x"))
	pending := tr.Get([]byte("other"))
	tr.Set(make([]byte, MaxKeySize+1), nil)
	tr.Reset()
	_, err := pending.Get()
	require.Equal(t, kv.CodeTransactionCancelled, kv.CodeOf(err))
	s.version = 200
	s.pass(time.Hour)
	require.Equal(t, "1", get(t, tr.Get([]byte("k"))))
	tr.Set([]byte("y"), nil)
	require.NoError(t, tr.Commit())
	require.Equal(t, []string{"k"}, show(s.commits[0].ReadConflicts))
	require.EqualValues(t, 200, s.commits[0].ReadVersion)
	require.NoError(t, tr.OnError(errCode(kv.CodeNotCommitted)))
}

// TestContextEnd checks that every use fails after the context has ended, and that
// the outcome of a commit is NotCommitted.
func TestContextEnd(t *testing.T) {
	cause := errors.New("shutting down")
	ctx, cancel := context.WithCancelCause(context.Background())
	s := newFakeStore()
	tr := NewTransaction(ctx, s, Options{})
	tr.Set([]byte("k"), nil)
	pending := tr.Get([]byte("a"))
	cancel(cause)
	_, err := pending.Get()
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, cause)
	require.Equal(t, kv.CodeTransactionCancelled, kv.CodeOf(err))
	for name, use := range uses(tr) {
		require.Equal(t, kv.CodeTransactionCancelled, use(), name)
	}
	err = tr.Commit()
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, kv.NotCommitted, kv.OutcomeOf(err))
	require.Empty(t, s.commits)
	tr.Reset()
	require.ErrorIs(t, tr.Commit(), context.Canceled, "Reset does not revive the context")
}

// TestUseFailsAPendingStamp checks that a pending versionstamp fails if a use
// after the commit makes the transaction unusable.
func TestUseFailsAPendingStamp(t *testing.T) {
	tr := newFakeStore().begin()
	tr.SetVersionstampedValue([]byte("k"), stampedTemplate("", "", 0))
	stamp := tr.GetVersionstamp()
	tr.Get([]byte("k"))
	require.Equal(t, kv.CodeAccessedUnreadable, kv.CodeOf(tr.Commit()))
	tr.Get([]byte("k"))
	_, err := stamp.Get()
	require.Equal(t, kv.CodeUsedDuringCommit, kv.CodeOf(err))
}

// TestEndDuringACall checks what happens if the transaction ends while the store
// works and does not notice. A read fails, and a commit keeps its result.
func TestEndDuringACall(t *testing.T) {
	for code, end := range map[int]func(s *fakeStore, tr *Transaction){
		kv.CodeTransactionCancelled: func(_ *fakeStore, tr *Transaction) { tr.Cancel() },
		kv.CodeTransactionTimedOut:  func(s *fakeStore, _ *Transaction) { s.pass(time.Hour) },
	} {
		s := newFakeStore("k", "1")
		tr := s.begin()
		tr.SetTimeout(time.Minute)
		s.onRead = func(context.Context) error { end(s, tr); return nil }
		_, err := tr.Get([]byte("k")).Get()
		require.Equal(t, code, kv.CodeOf(err))

		s = newFakeStore()
		tr = s.begin()
		tr.SetTimeout(time.Minute)
		s.onCommit = func(context.Context) error { end(s, tr); return nil }
		tr.Set([]byte("k"), nil)
		require.NoError(t, tr.Commit())
		require.Len(t, s.commits, 1)
	}
}

// TestResetDuringACall checks that the answer to the old attempt does not affect
// the new one.
func TestResetDuringACall(t *testing.T) {
	for _, answer := range []error{nil, errCode(kv.CodeNotCommitted)} {
		s := newFakeStore("k", "1")
		tr := s.begin()
		var w kv.Watch
		var stamp kv.Future[[]byte]
		s.onCommit = func(context.Context) error {
			tr.Reset()
			w, stamp = tr.Watch([]byte("k")), tr.GetVersionstamp()
			return answer
		}
		tr.Set([]byte("x"), nil)
		require.Equal(t, kv.CodeOf(answer), kv.CodeOf(tr.Commit()))
		require.Equal(t, "pending", state(w))
		version, err := tr.GetCommittedVersion()
		require.NoError(t, err)
		require.EqualValues(t, -1, version)
		s.onCommit = nil
		tr.Set([]byte("y"), nil)
		require.NoError(t, tr.Commit())
		require.Len(t, get(t, stamp), StampSize)

		tr = s.begin()
		f := tr.Get([]byte("k"))
		s.onRead = func(context.Context) error { tr.Reset(); s.onRead = nil; s.version = 900; return answer }
		_, err = f.Get()
		require.Equal(t, kv.CodeTransactionCancelled, kv.CodeOf(err))
		version, err = tr.GetReadVersion().Get()
		require.NoError(t, err)
		require.EqualValues(t, 900, version)
		if answer == nil {
			require.Len(t, s.waves, 3, "the new attempt takes its own read version")
		}
	}
}

// TestPanicInTheStore checks that a transaction can be reset after the store
// panicked.
func TestPanicInTheStore(t *testing.T) {
	s := newFakeStore()
	explode := func(context.Context) error { panic("store panic") }
	s.onRead, s.onCommit = explode, explode
	s.onSleep = func(context.Context, time.Duration) error { panic("store panic") }
	for name, use := range map[string]func(tr *Transaction){
		"read":    func(tr *Transaction) { _, _ = tr.Get([]byte("k")).Get() },
		"version": func(tr *Transaction) { _, _ = tr.GetReadVersion().Get() },
		"commit":  func(tr *Transaction) { tr.Set([]byte("k"), nil); _ = tr.Commit() },
		"retry":   func(tr *Transaction) { _ = tr.OnError(errCode(kv.CodeNotCommitted)) },
	} {
		tr := s.begin()
		require.PanicsWithValue(t, "store panic", func() { use(tr) }, name)
		tr.Reset()
		tr.Cancel()
		require.Equal(t, kv.CodeTransactionCancelled, uses(tr)["Get"](), name)
	}
}
