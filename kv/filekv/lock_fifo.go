package filekv

import (
	"context"
	"slices"
	"sync"
)

// fifoLock is a fair lock for the goroutines of a process. They get it in the order
// in which they called acquire.
type fifoLock struct {
	mu    sync.Mutex
	held  bool
	queue []chan struct{} // each is closed when its goroutine gets the lock
}

// acquire waits for the lock. The error is that of ctx, or ErrClosed if stop is
// closed.
func (l *fifoLock) acquire(ctx context.Context, stop <-chan struct{}) error {
	l.mu.Lock()
	if !l.held {
		l.held = true
		l.mu.Unlock()
		return nil
	}
	granted := make(chan struct{})
	l.queue = append(l.queue, granted)
	l.mu.Unlock()
	var err error
	select {
	case <-granted:
		return nil
	case <-ctx.Done():
		err = contextError(ctx)
	case <-stop:
		err = ErrClosed
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.queue, granted); i >= 0 {
		l.queue = slices.Delete(l.queue, i, i+1)
	} else {
		l.grantNext() // the lock was granted at the same moment
	}
	return err
}

// release passes the lock to the next goroutine in the queue.
func (l *fifoLock) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.grantNext()
}

// grantNext is release with l.mu held.
func (l *fifoLock) grantNext() {
	if len(l.queue) == 0 {
		l.held = false
		return
	}
	close(l.queue[0])
	l.queue = l.queue[1:]
}

// waiters returns the length of the queue.
func (l *fifoLock) waiters() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.queue)
}
