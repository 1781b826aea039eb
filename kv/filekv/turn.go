package filekv

import (
	"context"
	"slices"
	"sync"
)

// turn is a lock between the goroutines of a process, handed on in the order
// in which they came.
type turn struct {
	mu      sync.Mutex
	taken   bool
	waiting []chan struct{} // closed when it is their turn
}

// take waits for the turn. The error is ctx's, or ErrClosed where stop was
// closed.
func (t *turn) take(ctx context.Context, stop <-chan struct{}) error {
	t.mu.Lock()
	if !t.taken {
		t.taken = true
		t.mu.Unlock()
		return nil
	}
	mine := make(chan struct{})
	t.waiting = append(t.waiting, mine)
	t.mu.Unlock()
	var err error
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
		err = causeOfEnd(ctx)
	case <-stop:
		err = ErrClosed
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.waiting, mine); i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
	} else {
		t.pass() // it came at the same moment
	}
	return err
}

// leave gives the turn to the next one.
func (t *turn) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pass()
}

// pass does so. t.mu is held.
func (t *turn) pass() {
	if len(t.waiting) == 0 {
		t.taken = false
		return
	}
	close(t.waiting[0])
	t.waiting = t.waiting[1:]
}

// queued returns how many wait.
func (t *turn) queued() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.waiting)
}
