//go:build unix

package filekv

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/internal/client"
)

// blockers holds ways to make an operation wait before it has any effect. queued returns
// how many of n started operations then wait for the local lock.
var blockers = []struct {
	name   string
	put    func(t *testing.T, s *store) (remove func())
	queued func(n int) int
}{
	{"another transaction of the process", func(t *testing.T, s *store) func() {
		require.NoError(t, s.local.acquire(t.Context(), nil))
		return s.local.release
	}, func(n int) int { return n }},
	{"another process", func(t *testing.T, s *store) func() {
		other, err := openHostLock(s.path, defaultMode)
		require.NoError(t, err)
		require.NoError(t, other.acquire(t.Context(), nil, exclusive))
		return func() { require.NoError(t, other.close()) }
	}, func(n int) int { return n - 1 }},
	{"another program", func(t *testing.T, s *store) func() {
		other, err := bbolt.Open(s.path, 0, nil)
		require.NoError(t, err)
		return func() { require.NoError(t, other.Close()) }
	}, func(int) int { return 0 }}, // they do not hold the local lock between two attempts
}

// queuedUp waits until at least n operations wait for the local lock.
func queuedUp(t *testing.T, s *store, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return s.local.waiters() >= n }, patience, time.Millisecond)
}

// TestContextEndsWaiting: an operation that waits ends with its context and has no
// effect.
func TestContextEndsWaiting(t *testing.T) {
	operations := map[string]func(ctx context.Context, s *store) error{
		"read": func(ctx context.Context, s *store) error {
			_, err := s.Read(ctx, 0, nil)
			return err
		},
		"commit": func(ctx context.Context, s *store) error {
			_, err := s.Commit(ctx, setting("k", "v"))
			return err
		},
	}
	for _, o := range blockers {
		for name, operation := range operations {
			t.Run(name+" behind "+o.name, func(t *testing.T) {
				s := tempStore(t, Options{})
				remove := o.put(t, s)
				ctx, cancel := cancellable(t)
				done := background(func() error { return operation(ctx, s) })
				queuedUp(t, s, o.queued(1))
				cancel()
				err := wait(t, done, "the end of the wait")
				requireError(t, err, s, kv.CodeTransactionCancelled, kv.NotCommitted)
				require.ErrorIs(t, err, context.Canceled)

				// Without the blocker, the next operation succeeds.
				later := background(func() error { return operation(t.Context(), s) })
				remove()
				require.NoError(t, wait(t, later, "the operation"))
			})
		}
	}
}

func TestForeignLockIsNamed(t *testing.T) {
	s := tempStore(t, Options{})
	other, err := bbolt.Open(s.path, 0, nil)
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close()) }()
	ctx, cancel := context.WithTimeout(t.Context(), 2*lastRetry)
	defer cancel()
	_, err = s.Commit(ctx, setting("k", "v"))
	requireError(t, err, s, kv.CodeTransactionCancelled, kv.NotCommitted)
	require.ErrorContains(t, err, "another program holds the file")
}

// TestContextEndsBeforeTheWrite: if the context ends before the commit is written, the
// commit has no effect, and the error says so.
func TestContextEndsBeforeTheWrite(t *testing.T) {
	s := tempStore(t, Options{})
	arrived, release := make(chan struct{}), make(chan struct{})
	s.beforeWrite = func() { close(arrived); <-release }
	ctx, cancel := cancellable(t)
	done := background(func() error {
		_, err := s.Commit(ctx, setting("k", "v"))
		return err
	})
	wait(t, arrived, "the commit")
	cancel()
	err := wait(t, done, "the end of the commit")
	requireError(t, err, s, kv.CodeTransactionCancelled, kv.NotCommitted)
	close(release)
	value, _ := get(t, s, "k", 0)
	require.Equal(t, "(absent)", value)
}

// TestContextEndsDuringTheWrite: if the context ends while the commit is written, its
// outcome is unknown.
func TestContextEndsDuringTheWrite(t *testing.T) {
	s := tempStore(t, Options{})
	arrived, release := make(chan struct{}), make(chan struct{})
	s.afterWrite = func() error { close(arrived); <-release; return nil }
	ctx, cancel := cancellable(t)
	done := background(func() error {
		_, err := s.Commit(ctx, setting("k", "v"))
		return err
	})
	wait(t, arrived, "the commit")
	cancel()
	err := wait(t, done, "the end of the commit")
	requireError(t, err, s, kv.CodeTransactionCancelled, kv.Unsettled)
	require.ErrorIs(t, err, context.Canceled)
	close(release)
	value, _ := get(t, s, "k", 0)
	require.Equal(t, "v", value)
}

// TestCommitIsCopied: a caller whose context has ended may reuse its memory while the
// disk is still writing.
func TestCommitIsCopied(t *testing.T) {
	begin := func() *client.Commit {
		c := setting("k", "v")
		c.ReadConflicts, c.ReadVersion = []client.Range{keyRange("r")}, 7
		return c
	}
	c := begin()
	own := copyCommit(c)
	for _, b := range [][]byte{
		c.Mutations[0].Key, c.Mutations[0].Value,
		c.ReadConflicts[0].Begin, c.ReadConflicts[0].End, c.WriteConflicts[0].Begin, c.WriteConflicts[0].End,
	} {
		clear(b)
	}
	clear(c.Mutations)
	require.Equal(t, begin(), own)
}

// TestCommitIsAwaitedALittle: the outcome of a commit is known even if the context ends
// just before its result.
func TestCommitIsAwaitedALittle(t *testing.T) {
	s := tempStore(t, Options{})
	ctx, cancel := cancellable(t)
	s.afterWrite = func() error { cancel(); return nil }
	result, err := s.Commit(ctx, setting("k", "v"))
	if err != nil { // the machine was too busy
		requireError(t, err, s, kv.CodeTransactionCancelled, kv.Unsettled)
		return
	}
	_, version := get(t, s, "k", 0)
	require.Equal(t, version, result.Version)
}
