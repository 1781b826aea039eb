package simulation

import (
	"context"
	"iter"
	"time"
)

// task is a coroutine of a process: an operation, or the work of a leader.
type task struct {
	process *process
	ctx     *taskContext
	next    func() (struct{}, bool)
	stop    func()
	yield   func(struct{}) bool
	waiting uint64 // counts the waits: an event for an older one is void
	commits *pendingCommit
	ended   bool
}

// taskContext is a context that the scheduler ends. Nothing waits for its Done.
type taskContext struct {
	values context.Context
	err    error
}

var _ context.Context = (*taskContext)(nil)

func (c *taskContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (c *taskContext) Done() <-chan struct{}       { return never }
func (c *taskContext) Err() error                  { return c.err }
func (c *taskContext) Value(key any) any           { return c.values.Value(key) }

var never = make(chan struct{})

// taskKey is the context key under which a task finds itself.
type taskKey struct{}

// start runs fn as a coroutine, from the next event on.
func (p *process) start(fn func(t *task)) *task {
	t := &task{process: p}
	t.ctx = &taskContext{values: context.WithValue(context.Background(), taskKey{}, t)}
	t.next, t.stop = iter.Pull(func(yield func(struct{}) bool) {
		t.yield = yield
		fn(t)
	})
	p.tasks = append(p.tasks, t)
	p.world.after(0, func() { t.resume(0) })
	return t
}

// resume goes on with the task, if it still waits for that.
func (t *task) resume(wait uint64) {
	if t.ended || t.waiting != wait {
		return
	}
	before := t.process.world.running
	t.process.world.running = t
	_, more := t.next()
	t.process.world.running = before
	if !more {
		t.ended = true
		t.process.forget(t)
	}
}

// wait yields until d has passed, or the task is cancelled. A process that is
// paused does not notice before it goes on; what is on its way to the database
// is not held up by that.
func (t *task) wait(d time.Duration, held bool) error {
	w := t.process.world
	t.waiting++
	n := t.waiting
	w.after(d, func() {
		if held && t.process.pausedUntil > w.now {
			w.atTime(t.process.pausedUntil, func() { t.resume(n) })
			return
		}
		t.resume(n)
	})
	if !t.yield(struct{}{}) {
		t.ctx.err = context.Canceled
	}
	return t.ctx.err
}

// cancel ends the context of the task, and wakes it.
func (t *task) cancel(err error) {
	if t.ended || t.ctx.err != nil {
		return
	}
	t.ctx.err = err
	n := t.waiting
	t.process.world.after(0, func() { t.resume(n) })
}

// kill ends the task at once. Its code runs to its end with errors, and nobody
// listens.
func (t *task) kill() {
	if t.ended {
		return
	}
	t.ended = true
	t.ctx.err = context.Canceled
	t.stop()
}
