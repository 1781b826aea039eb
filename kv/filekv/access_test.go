//go:build unix

package filekv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"
	"go.uber.org/goleak"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/internal/client"
)

// The ways in which an operation can be made to wait before it does anything,
// and how many then wait for the turn, of n that began.
var obstacles = []struct {
	name   string
	put    func(t *testing.T, s *store) (remove func())
	queued func(n int) int
}{
	{"another transaction of the process", func(t *testing.T, s *store) func() {
		require.NoError(t, s.turn.take(t.Context(), nil))
		return s.turn.leave
	}, func(n int) int { return n }},
	{"another process", func(t *testing.T, s *store) func() {
		other, err := openHostLock(s.path, DefaultMode)
		require.NoError(t, err)
		require.NoError(t, other.acquire(t.Context(), nil, exclusive))
		return func() { require.NoError(t, other.close()) }
	}, func(n int) int { return n - 1 }},
	{"another program", func(t *testing.T, s *store) func() {
		other, err := bbolt.Open(s.path, 0, nil)
		require.NoError(t, err)
		return func() { require.NoError(t, other.Close()) }
	}, func(int) int { return 0 }}, // between two tries nobody has the turn
}

// queuedUp waits until so many wait for the turn.
func queuedUp(t *testing.T, s *store, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return s.turn.queued() >= n }, patience, time.Millisecond)
}

// A context that ends while an operation waits ends it, and nothing was done.
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
	for _, o := range obstacles {
		for name, operation := range operations {
			t.Run(name+" behind "+o.name, func(t *testing.T) {
				s := tempStore(t, Options{})
				remove := o.put(t, s)
				ctx, cancel := ender(t)
				done := background(func() error { return operation(ctx, s) })
				queuedUp(t, s, o.queued(1))
				cancel()
				err := wait(t, done, "the end of the wait")
				requireError(t, err, s, kv.CodeTransactionCancelled, kv.NotCommitted)
				require.ErrorIs(t, err, context.Canceled)

				// Without the obstacle it goes on, and nothing is left behind.
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

// A context that ends before the commit is being written leaves nothing, and
// the error is sure of it.
func TestContextEndsBeforeTheWrite(t *testing.T) {
	s := tempStore(t, Options{})
	arrived, release := make(chan struct{}), make(chan struct{})
	s.beforeWrite = func() { close(arrived); <-release }
	ctx, cancel := ender(t)
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

// A context that ends while the commit is being written leaves its fate open.
func TestContextEndsDuringTheWrite(t *testing.T) {
	s := tempStore(t, Options{})
	arrived, release := make(chan struct{}), make(chan struct{})
	s.afterWrite = func() error { close(arrived); <-release; return nil }
	ctx, cancel := ender(t)
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

// A caller whose context has ended may use its memory again, while the disk
// still works.
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

// A context that ends just before the answer does not make a commit doubtful.
func TestCommitIsAwaitedALittle(t *testing.T) {
	s := tempStore(t, Options{})
	ctx, cancel := ender(t)
	s.afterWrite = func() error { cancel(); return nil }
	result, err := s.Commit(ctx, setting("k", "v"))
	if err != nil { // on a machine that was busy for longer than that
		requireError(t, err, s, kv.CodeTransactionCancelled, kv.Unsettled)
		return
	}
	_, version := get(t, s, "k", 0)
	require.Equal(t, version, result.Version)
}

// An error of the disk says whether the commit may be there.
func TestDiskErrorInCommit(t *testing.T) {
	failure := syscall.EIO
	s := tempStore(t, Options{})
	s.afterWrite = func() error { return failure }
	_, err := s.Commit(t.Context(), setting("k", "written"))
	requireError(t, err, s, kv.CodeIOError, kv.Unsettled)
	require.ErrorIs(t, err, failure)
	value, _ := get(t, s, "k", 0)
	require.Equal(t, "written", value)

	s.afterWrite = nil
	err = s.commitFailed(failure, 1<<62) // a version that is not there
	requireError(t, err, s, kv.CodeIOError, kv.NotCommitted)
}

// A panic in the middle of the work, as damaged pages cause it, becomes an
// error, releases all locks, and nothing is done to the file any more.
func TestPanicBreaksTheStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	s := openStore(t, path, Options{})
	s.beforeWrite = func() { panic("pages") }
	_, err := s.Commit(t.Context(), setting("k", "v"))
	requireError(t, err, s, kv.CodeIOError, kv.NotCommitted)
	require.ErrorIs(t, err, ErrDamaged)

	s.beforeWrite = nil
	_, err = s.Commit(t.Context(), setting("k", "v"))
	requireError(t, err, s, kv.CodeIOError, kv.NotCommitted)
	_, err = s.Read(t.Context(), 0, nil)
	require.ErrorIs(t, err, ErrDamaged)

	other := openStore(t, path, Options{})
	put(t, other, "k", "v")
	other.afterWrite = func() error { panic("pages") }
	_, err = other.Commit(t.Context(), setting("k", "w"))
	requireError(t, err, other, kv.CodeIOError, kv.Unsettled)
}

// A file that is cut off while the store is open gives errors, also where the
// cut comes while it is mapped.
func TestTruncatedWhileOpen(t *testing.T) {
	t.Run("before", func(t *testing.T) {
		s := tempStore(t, Options{})
		put(t, s, "k", "v")
		require.NoError(t, os.Truncate(s.path, int64(2*os.Getpagesize())))
		_, err := s.Read(t.Context(), 0, []*client.Read{{Key: []byte("k")}})
		requireError(t, err, s, kv.CodeIOError, kv.NotCommitted)
		require.ErrorIs(t, err, ErrDamaged)
	})
	t.Run("meanwhile", func(t *testing.T) {
		s := tempStore(t, Options{})
		put(t, s, "k", "v")
		s.beforeWrite = func() {
			if err := os.Truncate(s.path, int64(2*os.Getpagesize())); err != nil {
				panic(err)
			}
		}
		_, err := s.Commit(t.Context(), setting("k", "w"))
		require.Error(t, err)
		require.Equal(t, kv.CodeIOError, kv.CodeOf(err), "%v", err)
		_, err = s.Read(t.Context(), 0, []*client.Read{{Key: []byte("k")}})
		require.Equal(t, kv.CodeIOError, kv.CodeOf(err), "%v", err)
	})
}

// A file that is removed or replaced while the store is open is an error, and
// no new one is made.
func TestReplacedWhileOpen(t *testing.T) {
	s := tempStore(t, Options{})
	put(t, s, "k", "v")
	aside := s.path + ".aside"
	require.NoError(t, os.Rename(s.path, aside))
	_, err := s.Commit(t.Context(), setting("k", "w"))
	requireError(t, err, s, kv.CodeIOError, kv.NotCommitted)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoFileExists(t, s.path)

	other := openStore(t, s.path, Options{})
	_, err = s.Commit(t.Context(), setting("k", "w"))
	requireError(t, err, s, kv.CodeIOError, kv.NotCommitted)
	require.ErrorIs(t, err, ErrReplaced)
	value, _ := get(t, other, "k", 0)
	require.Equal(t, "(absent)", value)

	require.NoError(t, os.Rename(aside, s.path))
	value, _ = get(t, s, "k", 0)
	require.Equal(t, "v", value)
}

// Close ends every wait, the watches too, and leaves no goroutine.
func TestClose(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	path := filepath.Join(t.TempDir(), "store")
	for _, o := range obstacles {
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
			queuedUp(t, db.store, o.queued(2)) // the commit and the look at the watch
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

// Transactions of one process are served in the order in which they came.
func TestOrderWithinAProcess(t *testing.T) {
	s := tempStore(t, Options{})
	require.NoError(t, s.turn.take(t.Context(), nil))
	const n = 5
	order := make(chan int, n)
	errs := make(chan error, n)
	for i := range n {
		go func() {
			_, err := access(t.Context(), s, shared, func(*attempt) (int, error) {
				order <- i
				return i, nil
			})
			errs <- err
		}()
		queuedUp(t, s, i+1)
	}
	s.turn.leave()
	for i := range n {
		require.NoError(t, wait(t, errs, "an access"))
		require.Equal(t, i, wait(t, order, "an access"))
	}
}

func TestErrorsWithoutCode(t *testing.T) {
	require.NoError(t, asKV(nil))
	plain := errors.New("plain")
	require.Equal(t, kv.Error{Code: kv.CodeIOError, Err: plain}, asKV(plain))
	conflict := kv.Error{Code: kv.CodeNotCommitted}
	require.Equal(t, conflict, asKV(fmt.Errorf("wrapped: %w", conflict)))
}

// loneLock notes if a goroutine asks for the lock while another one has it or
// waits for it, or gives it back after its turn: the kernel does not keep the
// goroutines of a process apart.
type loneLock struct {
	hostLock
	turn    *turn
	used    atomic.Bool
	overlap chan struct{}
}

func (l *loneLock) note() {
	select {
	case l.overlap <- struct{}{}:
	default:
	}
}

func (l *loneLock) acquire(ctx context.Context, stop <-chan struct{}, mode lockMode) error {
	if !l.used.CompareAndSwap(false, true) {
		l.note()
	}
	return l.hostLock.acquire(ctx, stop, mode)
}

func (l *loneLock) release() {
	l.turn.mu.Lock()
	if !l.turn.taken {
		l.note()
	}
	l.turn.mu.Unlock()
	l.hostLock.release()
	l.used.Store(false)
}

// The goroutines of a process wait until the commit before them is durable and
// the lock is free.
func TestTurnLastsUntilTheCommitIsDurable(t *testing.T) {
	for name, next := range map[string]func(t *testing.T, s *store) error{
		"a commit": func(t *testing.T, s *store) error {
			t.Helper()
			_, err := s.Commit(t.Context(), setting("k", "w"))
			return err
		},
		"a read": func(t *testing.T, s *store) error {
			t.Helper()
			r := &client.Read{Key: []byte("k")}
			_, err := s.Read(t.Context(), 0, []*client.Read{r})
			if err == nil && string(r.Value) != "v" {
				err = fmt.Errorf("read %q", r.Value)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := tempStore(t, Options{})
			lock := &loneLock{hostLock: s.lock, turn: &s.turn, overlap: make(chan struct{}, 1)}
			s.lock = lock
			arrived, release := make(chan struct{}, 2), make(chan struct{})
			s.afterWrite = func() error { arrived <- struct{}{}; <-release; return nil }
			first := background(func() error {
				_, err := s.Commit(t.Context(), setting("k", "v"))
				return err
			})
			wait(t, arrived, "the commit")
			second := background(func() error { return next(t, s) })
			require.Eventually(t, func() bool {
				select {
				case <-lock.overlap:
					return true
				default:
					return s.turn.queued() == 1
				}
			}, patience, time.Millisecond)
			require.Equal(t, 1, s.turn.queued(), "the turn was left while the commit was being written")
			close(release)
			require.NoError(t, wait(t, first, "the commit"))
			require.NoError(t, wait(t, second, "what came after it"))
			require.Empty(t, lock.overlap)
		})
	}
}

// Close waits for a commit that is being written, which is acknowledged.
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
	require.Eventually(t, func() bool { return s.turn.queued() == 1 || len(closed) > 0 }, patience, time.Millisecond)
	require.Empty(t, closed, "it was closed while a commit was being written")
	close(release)
	require.NoError(t, wait(t, commit, "the commit"))
	require.NoError(t, wait(t, closed, "the end of Close"))
}
