package engines

import (
	"context"
	"sync"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/kvtest"
)

// injector uses an engine's hooks to make the next operation of a kind fail or wait.
// It is safe for concurrent use.
type injector struct {
	mu     sync.Mutex
	faults []kvtest.Fault
	held   []*held
}

// held is an operation that waits.
type held struct {
	op      kvtest.Op
	arrived chan struct{}
	release chan struct{}

	mu       sync.Mutex
	released bool
	land     func() // of a commit whose caller has given up
}

// call is an intercepted operation of an engine.
type call interface {
	// op returns the kind of the operation. ok is false if the suite does not know
	// it.
	op() (op kvtest.Op, ok bool)
	// detach separates a commit from its caller. The commit is applied when land is
	// called.
	detach() (land func())
}

// inject makes the next operation of the fault's kind fail.
func (i *injector) inject(f kvtest.Fault) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.faults = append(i.faults, f)
}

// hold makes the next operation of a kind wait.
func (i *injector) hold(op kvtest.Op) (arrived <-chan struct{}, release func()) {
	h := &held{op: op, arrived: make(chan struct{}), release: make(chan struct{})}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.held = append(i.held, h)
	return h.arrived, h.releaseHeld
}

// before is called before the engine executes c.
func (i *injector) before(ctx context.Context, c call) error {
	op, known := c.op()
	if !known {
		return nil
	}
	if f, ok := i.takeFault(op, false); ok {
		return answer(f)
	}
	if h := i.takeHeld(op); h != nil {
		return h.wait(ctx, c)
	}
	return nil
}

// after is called after the engine has executed c.
func (i *injector) after(c call) error {
	op, known := c.op()
	if !known {
		return nil
	}
	if f, ok := i.takeFault(op, true); ok {
		return answer(f)
	}
	return nil
}

// answer returns the error of a fault.
func answer(f kvtest.Fault) error {
	return kv.Error{Code: f.Code, Committing: f.Op == kvtest.OpCommit}
}

func (i *injector) takeFault(op kvtest.Op, applied bool) (kvtest.Fault, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for n, f := range i.faults {
		if f.Op == op && f.Applied == applied {
			i.faults = append(i.faults[:n], i.faults[n+1:]...)
			return f, true
		}
	}
	return kvtest.Fault{}, false
}

func (i *injector) takeHeld(op kvtest.Op) *held {
	i.mu.Lock()
	defer i.mu.Unlock()
	for n, h := range i.held {
		if h.op == op {
			i.held = append(i.held[:n], i.held[n+1:]...)
			return h
		}
	}
	return nil
}

// wait waits until the operation is released or ctx ends.
func (h *held) wait(ctx context.Context, c call) error {
	close(h.arrived)
	select {
	case <-h.release:
		return nil
	case <-ctx.Done():
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.op == kvtest.OpCommit && !h.released {
		h.land = c.detach()
	}
	return ctx.Err()
}

// releaseHeld releases the operation. If the caller of a commit has given up, releaseHeld
// applies it.
func (h *held) releaseHeld() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.released {
		return
	}
	h.released = true
	close(h.release)
	if h.land != nil {
		h.land()
	}
}
