package simulation

import (
	"context"
	"slices"
	"time"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// task is what a process has running beside its state machine: an operation, the work of a
// leader, or a transaction of the application. It is a coroutine that yields to the
// scheduler in every call to the engine.
type task struct {
	node    *node
	label   string     // of its transactions in the commit log
	op      *operation // of an elector; nil: something else
	lost    int        // lost acknowledgements
	ctx     taskContext
	routine *coroutine
	waiting uint64 // counts the waits; an event for an older one is void
	killed  bool   // its process is gone; it runs to its end without effect
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

// taskKey is the context key of the task in an ownContext.
type taskKey struct{}

type ownContext struct {
	context.Context
	task *task
}

func (c *ownContext) Value(key any) any {
	if _, ok := key.(taskKey); ok {
		return c.task
	}
	return c.Context.Value(key)
}

func taskOf(ctx context.Context) *task {
	t, _ := ctx.Value(taskKey{}).(*task)
	return t
}

// start runs fn as a task, beginning with the next event. label marks its transactions in
// the commit log.
func (n *node) start(label string, fn func(t *task)) *task {
	t := &task{node: n, label: label, routine: n.kernel.routines.take()}
	t.ctx = taskContext{values: memkv.WithLabel(&ownContext{Context: context.Background(), task: t}, label)}
	t.routine.fn = func() { fn(t) }
	n.tasks = append(n.tasks, t)
	n.kernel.resumeAt(n.kernel.now, t, 0, true)
	return t
}

// resume continues the task, if it is still in that wait.
func (t *task) resume(wait uint64) {
	if t.ended || t.waiting != wait {
		return
	}
	k := t.node.kernel
	before := k.running
	k.running = t
	done, _ := t.routine.next()
	k.running = before
	if done {
		t.ended = true
		k.routines.put(t.routine)
		n := t.node
		if i := slices.Index(n.tasks, t); i >= 0 {
			n.tasks = slices.Delete(n.tasks, i, i+1)
		}
	}
}

// wait yields until d has passed or the task is canceled. If held is true, it also waits
// for the end of a pause of its process. Messages on their way to the database are not
// held.
func (t *task) wait(d time.Duration, held bool) error {
	if t.killed {
		return t.ctx.err
	}
	k := t.node.kernel
	t.waiting++
	k.resumeAt(k.now+max(d, 0), t, t.waiting, held)
	t.routine.yield(false)
	return t.ctx.err
}

// cancel ends the context of the task, and wakes it.
func (t *task) cancel(err error) {
	if t.ended || t.ctx.err != nil {
		return
	}
	t.ctx.err = err
	t.node.kernel.resumeAt(t.node.kernel.now, t, t.waiting, true)
}

// limit cancels the task after d, or after the pause of its process that follows.
func (t *task) limit(d time.Duration) {
	k := t.node.kernel
	k.after(d, func() {
		if n := t.node; n.pausedUntil > k.now {
			k.atTime(n.pausedUntil, func() { t.cancel(errLimit) })
			return
		}
		t.cancel(errLimit)
	})
}

// kill ends the task with its process. It runs to its end with errors: at once, or when it
// yields if it is the running task.
func (t *task) kill() {
	if t.ended || t.killed {
		return
	}
	t.killed, t.ctx.err = true, errCancelled
	if t.node.kernel.running != t {
		t.waiting++
		t.resume(t.waiting)
	}
}

// cause returns the error that ended the context of the task, if err comes from that.
func (t *task) cause(err error) error {
	if err != nil && t.ctx.err != nil && kv.CodeOf(err) == 0 {
		return t.ctx.err
	}
	return err
}

// ctxOf is the context of the task's calls.
func (t *task) ctxOf() context.Context { return &t.ctx }
