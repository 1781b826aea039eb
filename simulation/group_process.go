package simulation

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/belief"
	"github.com/fdbelection/fdbelection/internal/membership"
	"github.com/fdbelection/fdbelection/internal/membership/executor"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

var clientOptions = memkv.ClientOptions{}

// groupProcess is one process of a group, from its start to its end. It has the state machine
// of a member and its running operations.
type groupProcess struct {
	node
	world    *groupWorld
	host     *groupHost
	stopping bool
	// startedBefore says that it had no session when the database was restored.
	startedBefore bool

	left bool // it has left in order, and joins no more

	machine   *membership.Machine
	executor  executor.Executor
	running   map[uint64]*groupOperation
	deadlines belief.Deadlines  // after the last step
	runs      map[string]*run   // works that have not returned, by shard
	last      map[string]uint64 // the last term in which it led each shard
	scanned   int64             // the version at which its last scan began
	holdOffs  map[string]time.Time
	moving    map[string]group.Token // that it gives up for balance
}

// groupOperation is one operation that a process has started.
type groupOperation struct {
	process *groupProcess
	what    membership.Operation
	task    *task
	commits int
}

// run is one run of the work on a shard.
type run struct {
	token            group.Token
	task             *task
	ignores          int // how often it continues after it was told to stop
	drained, expired bool
}

// drain tells the work to stop. Its calls to the database are cancelled, unless it ignores that.
func (r *run) drain() {
	r.drained = true
	if r.ignores == 0 {
		r.task.cancel(errCancelled)
	}
}

func (p *groupProcess) now() membership.Now {
	return membership.Now{Local: p.clocks.local(p.world.now), Wall: p.clocks.calendar(p.world.now)}
}

func (h *groupHost) start(w *groupWorld, c clocks) {
	w.starts++
	p := &groupProcess{
		node: node{
			kernel: &w.kernel, name: h.id + strconv.Itoa(w.starts), place: &h.place, clocks: c, alive: true,
			requestsHeldUntil: h.heldUntil, repliesHeldUntil: h.heldUntil,
		},
		world: w, host: h, running: map[uint64]*groupOperation{}, runs: map[string]*run{}, last: map[string]uint64{},
		holdOffs: map[string]time.Time{}, moving: map[string]group.Token{},
	}
	p.runner = p
	h.current = p
	w.live = append(w.live, p)
	w.nodes[p.name], w.clients[p.name] = &p.node, p
	settings := membership.Settings{
		ID: h.id, Weight: h.weight, Capacity: h.capacity, Tags: map[string]string{"start": p.name}, NotReady: h.notReady,
		Drain: w.lease / 2, Leave: w.lease, NewNonce: w.uuid,
	}
	if h.observer {
		settings.ID = ""
	}
	p.machine = membership.New(settings)
	p.executor = executor.Executor{Database: w.db.NewClient(p.name, clientOptions), Group: w.group, Now: p.now, NewIncarnation: w.uuid}
	if w.tracing {
		w.traceOf(p.name, "starts")
	}
	p.post(membership.Begin{})
}

// setReadiness tells all processes of a host why they are not ready.
func (w *groupWorld) setReadiness(h *groupHost, notReady string) {
	h.notReady = notReady
	for _, p := range slices.Clone(w.live) {
		if p.host == h {
			p.post(membership.ReadinessChanged{NotReady: notReady})
		}
	}
}

// crash ends the process at once.
func (p *groupProcess) crash() {
	if p.world.tracing {
		p.world.traceOf(p.name, "crashes")
	}
	p.end()
}

// end releases what the process holds.
func (p *groupProcess) end() {
	p.deadlines = belief.Deadlines{}
	clear(p.runs)
	p.node.end()
	p.world.live = slices.DeleteFunc(p.world.live, func(other *groupProcess) bool { return other == p })
}

// leave tells the process to stop in order.
func (p *groupProcess) leave() {
	if p.alive && !p.stopping {
		p.stopping = true
		if p.world.tracing {
			p.world.traceOf(p.name, "is told to stop")
		}
		p.post(membership.Leave{})
	}
}

func (p *groupProcess) ends() (own time.Time, other time.Duration) {
	for _, b := range p.world.beats {
		if b.ID == p.host.id {
			other = b.at + b.Lease
		}
	}
	return p.deadlines.End, other
}

func (p *groupProcess) watchEnded(op uint64, err error) {
	p.post(membership.WatchEnded{Op: op, Err: err})
}

// post passes an event to the state machine. A paused process takes it after its pause.
func (p *groupProcess) post(event membership.Event) { p.deliver(func() { p.step(event) }) }

// step runs one step of the state machine.
func (p *groupProcess) step(event membership.Event) {
	w := p.world
	if !p.alive {
		return
	}
	actions := p.machine.Step(event, p.now())
	if w.checkHotLoop(2000, func() string { return fmt.Sprintf("%s: %T causes %v", p.name, event, actions) }) {
		return
	}
	p.deadlines = p.machine.Deadlines()
	for _, action := range actions {
		p.perform(action)
	}
	if p.alive {
		w.checkBelief(p)
		w.checkObeys(p)
		w.checkMirror(p, event)
	}
}

func (p *groupProcess) perform(action membership.Action) {
	w := p.world
	if w.tracing {
		w.traceGroupAction(p, action)
	}
	switch a := action.(type) {
	case membership.StartOperation:
		p.begin(a.Operation)
	case membership.CancelOperation:
		if op := p.running[a.Op]; !p.cancelWatch(a.Op) && op != nil {
			op.task.cancel(errCancelled)
		}
	case membership.Lead:
		p.lead(a.Token)
	case membership.Drain:
		w.checkDrain(p, a)
		if r := p.runs[a.Token.Shard]; r != nil {
			r.drain()
		}
	case membership.Expire:
		w.checkExpire(p, a.Token)
		if r := p.runs[a.Token.Shard]; r != nil {
			r.expired = true
		}
	case membership.Wake:
		if !a.At.After(p.local()) {
			w.violated(invHotLoop, "%s asks for a wake-up at %s, it is %s", p.name, a.At, p.local())
		}
		p.wake(a.At, func() { p.post(membership.Tick{}) })
	case membership.Finish:
		p.left = a.Err == nil
		w.checkFinish(p, a.Err)
		p.end()
		p.replace()
	case membership.HoldOff:
		p.holdOffs[a.Shard] = p.local().Add(a.For)
		w.holdOffs[p.name] = max(w.holdOffs[p.name], w.now+p.clocks.lasts(a.For))
	case membership.StateChanged, membership.RoutesChanged, membership.ConfigChanged, membership.Evicted, membership.IDInUse, membership.Report:
	}
}

// replace starts a new process if the last process of a host ends in the fault-free period, as
// a supervisor would.
func (p *groupProcess) replace() {
	w := p.world
	if w.faultFreeSince == 0 || w.calm || slices.ContainsFunc(w.live, func(other *groupProcess) bool { return other.host == p.host }) {
		return
	}
	w.after(time.Millisecond, func() { p.host.start(w, p.host.clocks) })
}

// begin starts an operation as a task.
func (p *groupProcess) begin(what membership.Operation) {
	w := p.world
	op := &groupOperation{process: p, what: what}
	label := p.name + "/" + strconv.FormatUint(what.ID, 10)
	w.operations[label] = op
	p.running[what.ID] = op
	w.checkStarted(p, &what)
	if what.Rows > 0 { // small pages, so that there are several
		what.Rows = 1 + w.scheduleRand.IntN(12)
	}
	op.task = p.start(label, func(t *task) {
		answer, watch := p.executor.Run(t.ctxOf(), what, func(e membership.Event) {
			if !t.killed && p.alive {
				w.checkGroupAttempt(p, e)
				p.step(e)
			}
		})
		p.answer(t, op, watch, answer)
	})
	op.task.limit(p.clocks.lasts(what.Limit))
}

func (p *groupProcess) answer(t *task, op *groupOperation, watch kv.Watch, answer membership.Answer) {
	w := p.world
	if t.killed || !p.alive {
		if watch != nil {
			watch.Cancel()
		}
		return
	}
	w.checkGroupAnswer(op, &answer)
	answer.Err = t.cause(answer.Err)
	delete(p.running, op.what.ID)
	w.mixNumbers(uint64(w.now), uint64(op.what.Kind), op.what.ID, uint64(answer.Version), uint64(kv.CodeOf(answer.Err)))
	if w.tracing && (answer.Err != nil || !quietKind(op.what.Kind)) {
		w.traceOf(p.name, "%s: %s", op.what.Kind, describeAnswer(&answer))
	}
	if watch != nil && answer.Err == nil {
		p.arm(op.what.ID, watch)
	}
	p.post(membership.Answered{Op: op.what.ID, Answer: answer})
	p.reportEndedWatches()
}

func quietKind(k membership.Kind) bool {
	return k == membership.Look || k == membership.Follow || k == membership.Scan || k == membership.Heartbeat
}

func describeAnswer(a *membership.Answer) string {
	if a.Err != nil {
		return a.Err.Error()
	}
	told := []string{"done"}
	for i := range a.Outcomes {
		o := &a.Outcomes[i]
		switch {
		case o.Err != nil:
			told = append(told, o.Err.Error())
		case o.Removed:
			told = append(told, o.Shard.Name+" is removed")
		default:
			told = append(told, o.Shard.String())
		}
	}
	return strings.Join(told, "; ")
}

// traceGroupAction adds a line about an action that matters.
func (w *groupWorld) traceGroupAction(p *groupProcess, action membership.Action) {
	switch a := action.(type) {
	case membership.Lead:
		w.traceOf(p.name, "LEADS %s", a.Token)
	case membership.Drain:
		w.traceOf(p.name, "drains %s: %s", a.Token, a.Reason)
	case membership.Expire:
		w.traceOf(p.name, "ends %s", a.Token)
	case membership.StateChanged:
		w.traceOf(p.name, "changes to %s from %s: %v", a.To, a.From, a.Err)
	case membership.Evicted:
		w.traceOf(p.name, "evicted %s", a.Member)
	case membership.IDInUse:
		w.traceOf(p.name, "finds %s under its id", a.Existing)
	case membership.HoldOff:
		w.traceOf(p.name, "holds off %s for %s after %d failures", a.Shard, a.For, a.Failures)
	case membership.Report:
		w.traceOf(p.name, "reports: %v", a.Err)
	case membership.Finish:
		w.traceOf(p.name, "has left: %v", a.Err)
	default:
	}
}

func (w *groupWorld) cells() []string {
	cells := make([]string, len(w.hosts))
	for _, p := range w.live {
		cells[p.host.column] = p.cell()
	}
	return cells
}

// cell is the state of a process in a few characters: how many shards it leads and is giving
// up.
func (p *groupProcess) cell() string {
	leads, ending := p.machine.Leading()
	switch state := p.machine.State(); {
	case ending > 0:
		return fmt.Sprintf("%d-%d%s", leads, ending, p.mark())
	case leads > 0:
		return strconv.Itoa(leads) + p.mark()
	case state == membership.StateMember:
		return "." + p.mark()
	default:
		return state.String()[:1] + p.mark()
	}
}

// session is the identity of the process in the group.
func (p *groupProcess) session() election.Identity { return p.machine.Session() }
