//go:build unix

package filekv

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/fdbelection/fdbelection/kv"
)

// TestClose: Close ends every wait and every watch, and leaves no goroutine.
func TestClose(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	path := filepath.Join(t.TempDir(), "store")
	for _, o := range blockers {
		t.Run(o.name, func(t *testing.T) {
			db, err := Open(path, Options{})
			require.NoError(t, err)
			remove := o.put(t, db.store)
			failed := make(chan error, 1)
			_, err = db.store.Watch(t.Context(), []byte("k"), nil, 1, func(err error) { failed <- err })
			require.NoError(t, err)
			done := background(func() error {
				_, err := db.store.Commit(t.Context(), setting("k", "v"))
				return err
			})
			queuedUp(t, db.store, o.queued(2)) // the commit and the check of the watch
			closed := background(db.Close)
			err = wait(t, done, "the end of the commit")
			requireError(t, err, db.store, kv.CodeTransactionCancelled, kv.NotCommitted)
			require.ErrorIs(t, err, ErrClosed)
			remove()
			require.NoError(t, wait(t, closed, "the end of Close"))
			require.ErrorIs(t, wait(t, failed, "the end of the watch"), ErrClosed)

			require.NoError(t, db.Close())
			_, err = db.store.Read(t.Context(), 0, nil)
			require.ErrorIs(t, err, ErrClosed)
			_, err = db.store.Watch(t.Context(), []byte("k"), nil, 1, func(error) {})
			require.ErrorIs(t, err, ErrClosed)
			err = db.Transact(t.Context(), func(tr kv.Transaction) error {
				_, err := tr.Get([]byte("k")).Get()
				return err
			})
			require.ErrorIs(t, err, ErrClosed)
		})
	}
}

// TestCloseWaitsForACommit: Close waits for a commit that is being written, and the
// commit succeeds.
func TestCloseWaitsForACommit(t *testing.T) {
	db, err := Open(filepath.Join(t.TempDir(), "store"), Options{})
	require.NoError(t, err)
	s := db.store
	arrived, release := make(chan struct{}), make(chan struct{})
	s.afterWrite = func() error { close(arrived); <-release; return nil }
	commit := background(func() error {
		_, err := s.Commit(t.Context(), setting("k", "v"))
		return err
	})
	wait(t, arrived, "the commit")
	closed := background(db.Close)
	require.Eventually(t, func() bool { return s.local.waiters() == 1 || len(closed) > 0 }, patience, time.Millisecond)
	require.Empty(t, closed, "Close returned while a commit was being written")
	close(release)
	require.NoError(t, wait(t, commit, "the commit"))
	require.NoError(t, wait(t, closed, "the end of Close"))
}
