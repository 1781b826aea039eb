//go:build unix

package filekv

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// openFlock opens the lock for systems without open file description locks.
func openFlock(t *testing.T, path string) *flockLock {
	t.Helper()
	file, err := openLockFile(path+lockSuffix, defaultMode)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, file.close()) })
	return &flockLock{file: file}
}

// TestLocksExclude: no lock lets a writer in beside another process.
func TestLocksExclude(t *testing.T) {
	for name, open := range map[string]func(t *testing.T, path string) hostLock{
		"the system's": func(t *testing.T, path string) hostLock {
			t.Helper()
			l, err := openHostLock(path, defaultMode)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, l.close()) })
			return l
		},
		"flock": func(t *testing.T, path string) hostLock {
			t.Helper()
			return openFlock(t, path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store")
			var inside atomic.Int32 // a writer adds 1000
			var done []<-chan error
			for i := range 6 {
				l := open(t, path)
				done = append(done, background(func() error {
					for n := range 60 {
						mode, weight := shared, int32(1)
						if (i+n)%2 == 0 {
							mode, weight = exclusive, 1000
						}
						if err := l.acquire(t.Context(), nil, mode); err != nil {
							return err
						}
						if now := inside.Add(weight); now > 1000 || (weight == 1000 && now != 1000) {
							return context.DeadlineExceeded
						}
						inside.Add(-weight)
						l.release()
					}
					return nil
				}))
			}
			for _, d := range done {
				require.NoError(t, wait(t, d, "a user of the lock"), "two were inside at once")
			}
		})
	}
}

func TestFlockWaits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	a, b := openFlock(t, path), openFlock(t, path)
	require.NoError(t, a.acquire(t.Context(), nil, exclusive))
	ctx, cancel := cancellable(t)
	cancelled := background(func() error { return b.acquire(ctx, nil, shared) })
	cancel()
	require.ErrorIs(t, wait(t, cancelled, "the end of the wait"), context.Canceled)
	stop := make(chan struct{})
	closed := background(func() error { return b.acquire(t.Context(), stop, shared) })
	close(stop)
	require.ErrorIs(t, wait(t, closed, "the end of the wait"), ErrClosed)
	a.release()
	require.NoError(t, b.acquire(t.Context(), nil, exclusive))
}
