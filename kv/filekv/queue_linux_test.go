package filekv

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/fdbelection/fdbelection/internal/clock"
)

// openQueue opens the queue of a store, as another process would.
func openQueue(t *testing.T, path string) *queue {
	t.Helper()
	file, err := openLockFile(path+lockSuffix, defaultMode)
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.close() })
	return &queue{file: file}
}

// waiter is a waiting process in the queue.
type waiter struct {
	q    *queue
	done <-chan error
}

// enqueue starts a waiter and returns when it has a ticket.
func enqueue(t *testing.T, ctx context.Context, path string, mode lockMode) waiter { //nolint:revive // t comes first here
	t.Helper()
	watcher, q := openQueue(t, path), openQueue(t, path)
	before, _, err := watcher.ahead(firstTicket, int64(clock.Monotonic())+int64(time.Hour), 100)
	require.NoError(t, err)
	done := background(func() error { return q.acquire(ctx, nil, mode) })
	require.Eventually(t, func() bool {
		after, _, err := watcher.ahead(firstTicket, int64(clock.Monotonic())+int64(time.Hour), 100)
		return err == nil && after == before+1
	}, patience, 100*time.Microsecond)
	return waiter{q, done}
}

func TestQueueOrder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	holder := openQueue(t, path)
	require.NoError(t, holder.acquire(t.Context(), nil, exclusive))
	var waiters []waiter
	for range 5 {
		waiters = append(waiters, enqueue(t, t.Context(), path, exclusive))
	}
	holder.release()
	for i, w := range waiters {
		require.NoError(t, wait(t, w.done, "the next one"))
		for _, later := range waiters[i+1:] {
			require.Empty(t, later.done, "a waiter got the lock out of order")
		}
		w.q.release()
	}
}

// TestQueueLeavers: a waiter that gives up or dies at any position does not block the
// queue. If a process dies, the kernel closes its files, which releases its locks. The
// test closes the file instead.
func TestQueueLeavers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	for leaving := range 4 {
		for _, dies := range []bool{true, false} {
			holder, victim := openQueue(t, path), openQueue(t, path)
			require.NoError(t, holder.acquire(t.Context(), nil, exclusive))
			ctx, cancel := cancellable(t)
			var waiters []waiter
			var leaver waiter
			for i := range 4 {
				switch {
				case i != leaving:
					waiters = append(waiters, enqueue(t, t.Context(), path, exclusive))
				case dies:
					_, err := victim.draw()
					require.NoError(t, err)
				default:
					leaver = enqueue(t, ctx, path, exclusive)
				}
			}
			cancel()
			if dies {
				require.NoError(t, victim.close())
			} else {
				require.ErrorIs(t, wait(t, leaver.done, "the waiter that leaves"), context.Canceled)
			}
			if leaving%2 == 0 { // the holder also dies
				require.NoError(t, holder.close())
			} else {
				holder.release()
			}
			for _, w := range waiters {
				require.NoError(t, wait(t, w.done, "the next one"))
				w.q.release()
			}
		}
	}
}

func TestQueueReadersTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	holder := openQueue(t, path)
	require.NoError(t, holder.acquire(t.Context(), nil, exclusive))
	first, second := enqueue(t, t.Context(), path, shared), enqueue(t, t.Context(), path, shared)
	writer := enqueue(t, t.Context(), path, exclusive)
	behind := enqueue(t, t.Context(), path, shared)
	holder.release()
	require.NoError(t, wait(t, first.done, "the first reader"))
	require.NoError(t, wait(t, second.done, "the second reader, beside the first"))
	first.q.release()
	require.Empty(t, writer.done, "a writer got the lock beside a reader")
	require.Empty(t, behind.done, "a reader got the lock before the writer ahead of it")
	second.q.release()
	require.NoError(t, wait(t, writer.done, "the writer"))
	require.Empty(t, behind.done, "a reader got the lock beside a writer")
	writer.q.release()
	require.NoError(t, wait(t, behind.done, "the last reader"))
}

// TestQueuePassesOverTheStopped: a process that was stopped while it waited does not
// block the others. Its ticket is skipped from then on. The test simulates it with a
// ticket that is never used.
func TestQueuePassesOverTheStopped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	stopped, q := openQueue(t, path), openQueue(t, path)
	ticket, err := stopped.draw()
	require.NoError(t, err)
	require.NoError(t, q.acquire(t.Context(), nil, exclusive))
	q.release()
	require.Contains(t, q.stuck, ticket)
	for range 3 { // without a further delay, or the test would time out
		require.NoError(t, q.acquire(t.Context(), nil, exclusive))
		require.Error(t, stopped.set(unix.F_WRLCK, lockByte, 1), "it is next, but the lock is held")
		q.release()
	}
	stopped.release()
	require.NoError(t, q.acquire(t.Context(), nil, exclusive))
	q.release()
	require.Empty(t, q.stuck)
}

// TestQueueBearsASlowHolder: a ticket is not skipped while a slow process holds the lock.
func TestQueueBearsASlowHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	holder, q := openQueue(t, path), openQueue(t, path)
	require.NoError(t, holder.acquire(t.Context(), nil, exclusive))
	p := position{ahead: -1, next: 7, nextSince: int64(clock.Monotonic()) - int64(time.Hour)}
	require.NoError(t, q.skipIfStuck(&p, 7))
	require.Empty(t, q.stuck)
	holder.release()
	require.NoError(t, q.skipIfStuck(&p, 7))
	require.Empty(t, q.stuck, "the time starts when the lock is free")
	p.nextSince -= int64(stuckAfter)
	require.NoError(t, q.skipIfStuck(&p, 7))
	require.Contains(t, q.stuck, int64(7))
}

// TestLockFileRemoved: if the lock file is removed, all processes use a new one.
func TestLockFileRemoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	a := openQueue(t, path)
	require.NoError(t, os.Remove(path+lockSuffix))
	b := openQueue(t, path)
	require.NoError(t, a.acquire(t.Context(), nil, exclusive))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, b.acquire(ctx, nil, exclusive), context.DeadlineExceeded)
	a.release()
	require.NoError(t, b.acquire(t.Context(), nil, exclusive))
}
