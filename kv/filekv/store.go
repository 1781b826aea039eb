package filekv

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fdbelection/fdbelection/kv/internal/client"
)

// store implements client.Store on one file.
type store struct {
	path string // absolute, without symbolic links
	opts Options
	id   []byte // of the store that was opened
	lock hostLock

	// local is held by the goroutine that uses the file.
	local fifoLock
	// closing is closed by close.
	closing   chan struct{}
	closeOnce sync.Once
	// broken is set if bbolt panicked. The file is not used any more after that.
	broken atomic.Pointer[StoreError]

	issued  readVersions
	watches watches

	// Hooks for tests: before a commit is written, when it can still be abandoned,
	// and after it is written, but before it is acknowledged.
	beforeWrite func()
	afterWrite  func() error
}

var _ client.Store = (*store)(nil)

// newStore opens the lock file, but not the store file.
func newStore(path string, opts Options) (*store, error) {
	lock, err := openHostLock(path, opts.Mode)
	if err != nil {
		return nil, err
	}
	s := &store{
		path:    path,
		opts:    opts,
		lock:    lock,
		closing: make(chan struct{}),
	}
	s.watches.store, s.watches.open, s.watches.interval = s, newNotifier, checkInterval
	return s, nil
}

// close ends every wait, and waits for the running read or write.
func (s *store) close() error {
	var err error
	s.closeOnce.Do(func() {
		close(s.closing)
		s.watches.close()
		if err = s.local.acquire(context.Background(), nil); err == nil { // never released
			err = s.lock.close()
		}
	})
	return err
}

// Now implements client.Store.
func (s *store) Now() time.Time { return s.opts.Now() }

// Sleep implements client.Store.
func (s *store) Sleep(ctx context.Context, d time.Duration) error { return s.opts.Sleep(ctx, d) }

// Jitter implements client.Store.
func (s *store) Jitter() float64 { return s.opts.Jitter() }
