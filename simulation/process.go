package simulation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/executor"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// host is the place of a process. It stays the same when the process restarts.
type host struct {
	column   int
	id       string
	priority int32
	role     election.Role
	notReady string // why its process is not ready; empty: it is ready
	clocks   clocks
	random   *rand.Rand // for the work
	current  *process   // the newest process; nil: never started

	// The database is away for the processes of this host. Their calls wait until heldUntil,
	// and fail before failsUntil.
	heldUntil, failsUntil time.Duration
}

// process is one process of the election, from its start to its end. It has the state
// machine of an elector and its running operations.
type process struct {
	world       *world
	host        *host
	name        string // no other process has it
	application bool   // it has no elector and calls the election itself
	follows     bool   // it follows all candidates
	clocks      clocks

	me        election.Registration
	alive     bool
	startedAt time.Duration
	endedAt   time.Duration // if it is not alive
	stopping  bool
	left      bool // it has left in order, and commits nothing more
	machine   machine.Machine
	executor  executor.Executor
	tasks     []*task
	running   map[uint64]*operation
	watches   []armed
	tenure    *tenure
	deadlines machine.TenureDeadlines // after the last step
	timer     uint64
	inbox     []machine.Event // arrived while it was paused

	pausedUntil       time.Duration
	requestsHeldUntil time.Duration // its requests do not arrive earlier
	repliesHeldUntil  time.Duration // answers and notifications do not arrive earlier

	succession  succession
	unregisters bool // it has begun to unregister
	witness
}

func (p *process) now() machine.Now {
	return machine.Now{Local: p.clocks.local(p.world.now), Wall: p.clocks.calendar(p.world.now)}
}

// local is the local clock of the process.
func (p *process) local() time.Time { return p.clocks.local(p.world.now) }

// start starts a process on the host, as a new incarnation.
func (h *host) start(w *world) { h.startWith(w, h.clocks) }

// startWith starts a process on other clocks than those of the host.
func (h *host) startWith(w *world, c clocks) {
	incarnation, _ := uuid.NewRandomFromReader(w.identities)
	w.starts++
	p := &process{
		world: w, host: h, name: h.id + strconv.Itoa(w.starts), clocks: c, alive: true, startedAt: w.now,
		running: map[uint64]*operation{}, follows: h.column == 1, requestsHeldUntil: h.heldUntil, repliesHeldUntil: h.heldUntil,
		me: election.Registration{
			Identity: election.Identity{ID: h.id, Incarnation: incarnation}, Priority: h.priority, Role: h.role, NotReady: h.notReady,
			Metadata: map[string]string{"start": strconv.Itoa(w.starts)},
		},
	}
	h.current = p
	w.live = append(w.live, p)
	w.clients[p.name], w.labels[p.me.Identity] = p, p.name
	p.machine = machine.New(machine.Settings{
		Me: p.me, Aim: machine.Campaign, Config: w.config,
		Drain: w.config.LeaseDuration, Leave: w.config.LeaseDuration, LeadUnready: w.leadUnready, HeadStart: w.headStart,
		Shortlist:        2, // so that some of the few processes are not on it
		FollowCandidates: p.follows,
	})
	p.executor = executor.Executor{
		Database: spyDatabase{w, w.db.NewClient(p.name, memkv.ClientOptions{})}, Election: w.electionBy(p.local), Now: p.now,
	}
	if w.tracing {
		w.trace(p, "starts as %s, %s of priority %d", p.me.Identity, p.me.Role, p.me.Priority)
	}
	p.post(machine.Begin{})
}

// crash ends the process at once.
func (p *process) crash() {
	if p.world.tracing {
		p.world.trace(p, "crashes")
	}
	p.end()
}

// end releases what the process holds.
func (p *process) end() {
	p.alive, p.endedAt, p.deadlines = false, p.world.now, machine.TenureDeadlines{}
	for _, t := range slices.Clone(p.tasks) {
		t.kill()
	}
	for _, a := range p.watches {
		a.watch.Cancel()
	}
	p.watches, p.tenure = nil, nil
	p.timer++
	p.world.live = slices.DeleteFunc(p.world.live, func(other *process) bool { return other == p })
}

func (p *process) pause(d time.Duration) {
	w := p.world
	if w.faultFreeSince > 0 || d <= 0 {
		return
	}
	p.pausedUntil = max(p.pausedUntil, w.now+d)
	if w.tracing {
		w.trace(p, "is paused for %s", d)
	}
}

// endPause ends a pause early. What waits for its end continues now.
func (p *process) endPause() {
	w, until := p.world, p.pausedUntil
	if until <= w.now {
		return
	}
	p.pausedUntil = w.now
	for _, e := range slices.Clone(w.queue) {
		if e.held && e.at == until && e.task.process == p {
			w.resumeAt(w.now, e.task, e.wait, true) // the other event is void
		}
	}
	w.after(0, p.catchUp)
}

// post passes an event to the state machine. A paused process takes it after its pause.
func (p *process) post(event machine.Event) {
	if !p.alive {
		return
	}
	w := p.world
	if p.pausedUntil <= w.now && len(p.inbox) == 0 {
		p.step(event)
		return
	}
	if p.inbox = append(p.inbox, event); len(p.inbox) == 1 {
		w.atTime(p.pausedUntil, p.catchUp)
	}
}

// catchUp passes the events that arrived during a pause to the state machine, in order.
func (p *process) catchUp() {
	for len(p.inbox) > 0 && p.alive {
		if w := p.world; p.pausedUntil > w.now {
			w.atTime(p.pausedUntil, p.catchUp)
			return
		}
		event := p.inbox[0]
		p.inbox = p.inbox[1:]
		p.step(event)
	}
}

// step runs one step of the state machine.
func (p *process) step(event machine.Event) {
	w := p.world
	before := p.deadlines
	if answered, ok := event.(machine.Answered); ok {
		w.noteOutage(p, &answered)
	}
	p.noteLeave(event)
	var actions []machine.Action
	p.machine, actions = machine.Step(p.machine, event, p.now())
	if w.checkHotLoop(2000, func() string { return fmt.Sprintf("%s: %T causes %v", p.name, event, actions) }) {
		return
	}
	p.deadlines = p.machine.Deadlines()
	w.checkStep(p, event, before, actions)
	for _, action := range actions {
		p.perform(action)
	}
	w.checkExclusion(p)
}

func (p *process) perform(action machine.Action) {
	w := p.world
	switch a := action.(type) {
	case machine.StartOperation:
		p.begin(a.Operation)
	case machine.CancelOperation:
		p.cancelOperation(a.Op)
	case machine.Lead:
		p.lead(a.Leader)
	case machine.Drain:
		if t := p.tenure; t != nil && t.token.Term == a.Term {
			t.drained = true
		}
	case machine.Expire:
		if t := p.tenure; t != nil && t.token.Term == a.Term {
			t.expired = true
		}
	case machine.HoldOff:
		p.holdOffUntil = p.now().Local.Add(a.For)
	case machine.Wake:
		p.wake(a.At)
	case machine.Finish:
		w.checkLeft(p, a.Err)
		if p.left && (w.records[p.me.ID].Identity == p.me.Identity || w.state.Leader.HeldBy(p.me.Identity)) {
			w.violated(invSettled, "%s has left, but is still registered or holds leadership", p.name)
		}
		p.end()
		p.replace()
	case machine.StateChanged, machine.LeaderChanged, machine.CandidatesChanged, machine.Evicted, machine.IDInUse, machine.Report, machine.ConfigChanged:
	}
	if w.tracing {
		w.traceAction(p, action)
	}
}

// replace starts a new process if the last process of a host ends in the fault-free period,
// as a supervisor would. A process may find out only then that another one of its id took
// its place and has crashed since. A process that was told to stop earlier may have kept
// a newer one from its id.
func (p *process) replace() {
	w := p.world
	if w.faultFreeSince == 0 || slices.ContainsFunc(w.live, func(other *process) bool { return other.host == p.host }) {
		return
	}
	w.after(time.Millisecond, func() { p.host.start(w) })
}

func (p *process) cancelOperation(id uint64) {
	for _, a := range p.watches {
		if a.op == id {
			a.watch.Cancel()
			p.reportEndedWatches()
			return
		}
	}
	if op := p.running[id]; op != nil {
		op.cancelled = true
		op.task.cancel(errCancelled)
	}
}

// wake sets the timer.
func (p *process) wake(at time.Time) {
	p.timer++
	n := p.timer
	p.world.after(p.clocks.wait(p.world.now, at), func() {
		if p.timer == n {
			p.post(machine.Tick{})
		}
	})
}

// leave tells the process to stop in order.
func (p *process) leave() {
	if p.alive && !p.stopping {
		p.stopping = true
		if p.world.tracing {
			p.world.trace(p, "is told to stop")
		}
		p.post(machine.Leave{})
	}
}
