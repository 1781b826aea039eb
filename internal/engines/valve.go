package engines

import (
	"context"
	"sync"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/kvtest"
)

// valve stands between the suite and an engine's hooks: it makes the next
// operation of a kind fail, or wait. It is safe for concurrent use.
type valve struct {
	mu     sync.Mutex
	faults []kvtest.Fault
	held   []*held
}

// held is an operation that the suite stops.
type held struct {
	op      kvtest.Op
	arrived chan struct{}
	release chan struct{}

	mu       sync.Mutex
	released bool
	land     func() // of a commit whose caller has gone
}

// call is an operation of an engine at its hook.
type call interface {
	// op tells what kind of operation it is; false: none that the suite knows.
	op() (kvtest.Op, bool)
	// detach takes a commit from its caller. It lands when land is called.
	detach() (land func())
}

// inject orders a fault for the next operation of its kind.
func (v *valve) inject(f kvtest.Fault) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.faults = append(v.faults, f)
}

// hold orders the next operation of a kind to wait.
func (v *valve) hold(op kvtest.Op) (arrived <-chan struct{}, release func()) {
	h := &held{op: op, arrived: make(chan struct{}), release: make(chan struct{})}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.held = append(v.held, h)
	return h.arrived, h.letGo
}

// before is called before the engine acts on c.
func (v *valve) before(ctx context.Context, c call) error {
	op, known := c.op()
	if !known {
		return nil
	}
	if f, ok := v.takeFault(op, false); ok {
		return answer(f)
	}
	if h := v.takeHeld(op); h != nil {
		return h.wait(ctx, c)
	}
	return nil
}

// after is called when the engine has acted on c.
func (v *valve) after(c call) error {
	op, known := c.op()
	if !known {
		return nil
	}
	if f, ok := v.takeFault(op, true); ok {
		return answer(f)
	}
	return nil
}

// answer is the error of a fault.
func answer(f kvtest.Fault) error {
	return kv.Error{Code: f.Code, Committing: f.Op == kvtest.OpCommit}
}

func (v *valve) takeFault(op kvtest.Op, applied bool) (kvtest.Fault, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, f := range v.faults {
		if f.Op == op && f.Applied == applied {
			v.faults = append(v.faults[:i], v.faults[i+1:]...)
			return f, true
		}
	}
	return kvtest.Fault{}, false
}

func (v *valve) takeHeld(op kvtest.Op) *held {
	v.mu.Lock()
	defer v.mu.Unlock()
	for i, h := range v.held {
		if h.op == op {
			v.held = append(v.held[:i], v.held[i+1:]...)
			return h
		}
	}
	return nil
}

// wait stops the operation until it is let go or ctx ends.
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

// letGo lets the operation go on. A commit whose caller has gone has landed
// when it returns.
func (h *held) letGo() {
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
