//go:build unix

package filekv

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv/internal/client"
)

// TestOrderWithinAProcess: the transactions of a process run in the order in which they
// started.
func TestOrderWithinAProcess(t *testing.T) {
	s := tempStore(t, Options{})
	require.NoError(t, s.local.acquire(t.Context(), nil))
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
	s.local.release()
	for i := range n {
		require.NoError(t, wait(t, errs, "an access"))
		require.Equal(t, i, wait(t, order, "an access"))
	}
}

// loneLock records if two goroutines use the host lock at the same time, or if one
// releases it after the local lock. The kernel does not exclude the goroutines of a
// process from each other.
type loneLock struct {
	hostLock
	local   *fifoLock
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
	l.local.mu.Lock()
	if !l.local.held {
		l.note()
	}
	l.local.mu.Unlock()
	l.hostLock.release()
	l.used.Store(false)
}

// TestLockIsHeldUntilTheCommitIsDurable: a goroutine waits until the commit before it is
// durable and has released the host lock.
func TestLockIsHeldUntilTheCommitIsDurable(t *testing.T) {
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
			lock := &loneLock{hostLock: s.lock, local: &s.local, overlap: make(chan struct{}, 1)}
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
					return s.local.waiters() == 1
				}
			}, patience, time.Millisecond)
			require.Equal(t, 1, s.local.waiters(), "the local lock was released while the commit was being written")
			close(release)
			require.NoError(t, wait(t, first, "the commit"))
			require.NoError(t, wait(t, second, "the operation after it"))
			require.Empty(t, lock.overlap)
		})
	}
}
