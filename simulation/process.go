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
	place
	column   int
	priority int32
	role     election.Role
	notReady string // why its process is not ready; empty: it is ready
	clocks   clocks
	random   *rand.Rand // for the work
	current  *process   // the newest process; nil: never started
}

// process is one process of the election, from its start to its end. It has the state
// machine of an elector and its running operations.
type process struct {
	node
	world   *world
	host    *host
	follows bool // it follows all candidates

	me        election.Registration
	startedAt time.Duration
	endedAt   time.Duration // if it is not alive
	stopping  bool
	left      bool // it has left in order, and commits nothing more
	machine   machine.Machine
	executor  executor.Executor
	running   map[uint64]*operation
	tenure    *tenure
	deadlines machine.TenureDeadlines // after the last step

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
		node: node{
			kernel: &w.kernel, name: h.id + strconv.Itoa(w.starts), place: &h.place, clocks: c, alive: true,
			requestsHeldUntil: h.heldUntil, repliesHeldUntil: h.heldUntil,
		},
		world: w, host: h, startedAt: w.now, running: map[uint64]*operation{}, follows: h.column == 1,
		me: election.Registration{
			Identity: election.Identity{ID: h.id, Incarnation: incarnation}, Priority: h.priority, Role: h.role, NotReady: h.notReady,
			Metadata: map[string]string{"start": strconv.Itoa(w.starts)},
		},
	}
	p.runner = p
	h.current = p
	w.live = append(w.live, p)
	w.nodes[p.name], w.clients[p.name], w.labels[p.me.Identity] = &p.node, p, p.name
	p.machine = machine.New(machine.Settings{
		Me: p.me, Aim: machine.Campaign, Config: w.config,
		Drain: w.config.LeaseDuration, Leave: w.config.LeaseDuration, LeadUnready: w.leadUnready, HeadStart: w.headStart,
		Shortlist:        shortlist,
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
	p.endedAt, p.deadlines, p.tenure = p.world.now, machine.TenureDeadlines{}, nil
	p.node.end()
	p.world.live = slices.DeleteFunc(p.world.live, func(other *process) bool { return other == p })
}

// ends are when the lease of the process ends on its clock, and when that of the stored leader
// ends.
func (p *process) ends() (own time.Time, other time.Duration) {
	if leader := &p.world.state.Leader; !leader.Vacant() {
		other = p.world.leaderAt + leader.LeaseDuration
	}
	return p.deadlines.End, other
}

func (p *process) watchEnded(op uint64, err error) { p.post(machine.WatchEnded{Op: op, Err: err}) }

// post passes an event to the state machine. A paused process takes it after its pause.
func (p *process) post(event machine.Event) { p.deliver(func() { p.step(event) }) }

// step runs one step of the state machine.
func (p *process) step(event machine.Event) {
	w := p.world
	before := p.deadlines
	if answered, ok := event.(machine.Answered); ok {
		w.noteOutage(p, &answered)
	}
	p.noteLeave(event)
	actions := p.machine.Step(event, p.now())
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
		p.begin(*a.Operation)
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
		p.wake(a.At, func() { p.post(machine.Tick{}) })
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
	if p.cancelWatch(id) {
		return
	}
	if op := p.running[id]; op != nil {
		op.cancelled = true
		op.task.cancel(errCancelled)
	}
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
