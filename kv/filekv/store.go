package filekv

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fdbelection/fdbelection/kv/internal/client"
)

// store is the server half of the engine: client.Store over one file.
type store struct {
	path string // absolute, without symbolic links
	opts Options
	id   []byte // of the store that was opened
	lock hostLock

	// turn is of the goroutine that deals with the file.
	turn turn
	// closing is closed by close.
	closing   chan struct{}
	closeOnce sync.Once
	// broken is why the store is not touched any more: bbolt panicked on it.
	broken atomic.Pointer[StoreError]

	given   readVersions
	watches watches

	// Tests stand in the way of a commit here: before it is written, when it
	// can still be given up, and after, when its acknowledgement is not out.
	beforeWrite func()
	afterWrite  func() error
}

var _ client.Store = (*store)(nil)

// newStore returns a store that has its lock file but has not looked at the
// file itself.
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
	s.watches.store, s.watches.open, s.watches.look = s, newNotifier, lookEvery
	return s, nil
}

// close ends every wait, and waits for what is being read or written.
func (s *store) close() error {
	var err error
	s.closeOnce.Do(func() {
		close(s.closing)
		s.watches.close()
		if err = s.turn.take(context.Background(), nil); err == nil { // for good
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
