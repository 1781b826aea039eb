package simulation

import (
	"slices"
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

// node is a process as the faults see it: what it runs, and its connection to the database.
type node struct {
	kernel      *kernel
	name        string // no other process has it
	place       *place
	application bool // it does not die between two calls
	operator    bool // it is not paused either
	clocks      clocks
	runner      runner

	alive   bool
	tasks   []*task
	watches []armed
	timer   uint64
	inbox   []func() // arrived while it was paused

	pausedUntil       time.Duration
	requestsHeldUntil time.Duration // its requests do not arrive earlier
	repliesHeldUntil  time.Duration // answers and notifications do not arrive earlier
}

// runner is the program that runs on a node.
type runner interface {
	// crash ends it at once.
	crash()
	// watchEnded says that the watch of an operation has fired or failed.
	watchEnded(op uint64, err error)
	// ends are when its own lease ends on its clock, and when another lease ends. Zero: none.
	ends() (own time.Time, other time.Duration)
}

// armed is an armed watch.
type armed struct {
	op    uint64
	watch kv.Watch
}

// end releases what the node holds.
func (n *node) end() {
	n.alive = false
	for _, t := range slices.Clone(n.tasks) {
		t.kill()
	}
	for _, a := range n.watches {
		a.watch.Cancel()
	}
	n.watches = nil
	n.timer++
}

func (n *node) pause(d time.Duration) {
	k := n.kernel
	if k.faultFreeSince > 0 || d <= 0 {
		return
	}
	n.pausedUntil = max(n.pausedUntil, k.now+d)
	if k.tracing {
		k.traceOf(n.name, "is paused for %s", d)
	}
}

// endPause ends a pause early. What waits for its end continues now.
func (n *node) endPause() {
	k, until := n.kernel, n.pausedUntil
	if until <= k.now {
		return
	}
	n.pausedUntil = k.now
	for _, e := range slices.Clone(k.queue) {
		if e.held && e.at == until && e.task.node == n {
			k.resumeAt(k.now, e.task, e.wait, true) // the other event is void
		}
	}
	k.after(0, n.catchUp)
}

// deliver calls handle. A paused process does that after its pause, in order.
func (n *node) deliver(handle func()) {
	if !n.alive {
		return
	}
	k := n.kernel
	if n.pausedUntil <= k.now && len(n.inbox) == 0 {
		handle()
		return
	}
	if n.inbox = append(n.inbox, handle); len(n.inbox) == 1 {
		k.atTime(n.pausedUntil, n.catchUp)
	}
}

// catchUp handles what arrived during a pause, in order.
func (n *node) catchUp() {
	for len(n.inbox) > 0 && n.alive {
		if k := n.kernel; n.pausedUntil > k.now {
			k.atTime(n.pausedUntil, n.catchUp)
			return
		}
		handle := n.inbox[0]
		n.inbox = n.inbox[1:]
		handle()
	}
}

// wake calls tick at an instant of the local clock, unless it is called again before.
func (n *node) wake(at time.Time, tick func()) {
	n.timer++
	number := n.timer
	n.kernel.after(n.clocks.wait(n.kernel.now, at), func() {
		if n.timer == number {
			tick()
		}
	})
}

// arm keeps the watch of an operation. A fault may fire it without a change.
func (n *node) arm(op uint64, watch kv.Watch) {
	n.watches = append(n.watches, armed{op, watch})
	k := n.kernel
	if !k.chance(faultWatchFires) {
		return
	}
	k.count(faultWatchFires)
	k.after(k.span(faultWatchFires, k.lease), func() {
		if i := slices.IndexFunc(n.watches, func(a armed) bool { return a.op == op }); i >= 0 && n.alive {
			n.watches[i].watch.Cancel()
			n.watches = slices.Delete(n.watches, i, i+1)
			n.runner.watchEnded(op, nil)
		}
	})
}

// cancelWatch cancels the watch of an operation. It reports whether there is one.
func (n *node) cancelWatch(op uint64) bool {
	for _, a := range n.watches {
		if a.op == op {
			a.watch.Cancel()
			n.reportEndedWatches()
			return true
		}
	}
	return false
}

// reportEndedWatches passes the watches that have ended to the program.
func (n *node) reportEndedWatches() {
	for i := 0; i < len(n.watches); {
		a := n.watches[i]
		if !isDone(a.watch) {
			i++
			continue
		}
		n.watches = slices.Delete(n.watches, i, i+1)
		n.kernel.after(0, func() { n.runner.watchEnded(a.op, a.watch.Err()) })
	}
}

// mark says whether the process is paused or cut off, for the timeline.
func (n *node) mark() string {
	switch k := n.kernel; {
	case n.pausedUntil > k.now:
		return "z"
	case n.requestsHeldUntil > k.now || n.repliesHeldUntil > k.now:
		return "/"
	default:
		return ""
	}
}
