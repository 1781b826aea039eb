package simulation

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector/machine"
	"github.com/fdbelection/fdbelection/elector/operate"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// process is one process of the election, from one start to the next: the
// machine of an elector, and what it has under way.
type process struct {
	world    *World
	name     string
	priority int32
	role     election.Role
	clocks   clocks
	random   *rand.Rand // of its work

	me          election.Registration
	alive       bool
	stopping    bool
	machine     machine.Machine
	operator    operate.Operator
	tasks       []*task
	operations  map[uint64]*task
	watches     map[uint64]kv.Watch
	tenure      *tenure
	generation  int // counts its starts
	timer       uint64
	pausedUntil time.Duration
	cutOffUntil time.Duration
	transitions []machine.Transition
}

// tenure is the work of one term in a process.
type tenure struct {
	token    election.Token
	begun    time.Duration
	drained  bool
	expired  bool
	returned bool
}

func (p *process) now() machine.Now {
	return machine.Now{Local: p.clocks.local(p.world.now), Wall: p.clocks.calendar(p.world.now)}
}

// enter starts the process as a new incarnation.
func (p *process) enter() {
	w := p.world
	p.generation++
	incarnation, _ := uuid.NewRandomFromReader(w.identities)
	p.me = election.Registration{
		Identity: election.Identity{ID: p.name, Incarnation: incarnation}, Priority: p.priority, Role: p.role,
		Metadata: map[string]string{"start": fmt.Sprint(p.generation)},
	}
	p.alive, p.stopping, p.tenure = true, false, nil
	p.operations, p.watches = map[uint64]*task{}, map[uint64]kv.Watch{}
	p.pausedUntil, p.cutOffUntil = 0, 0
	p.machine = machine.New(machine.Settings{
		Me: p.me, Aim: machine.Campaign, Config: w.config,
		Drain: w.lease, Leave: w.lease,
	})
	p.operator = operate.Operator{Database: w.db.NewClient(p.name, memkv.ClientOptions{}), Election: w.election, Now: p.now}
	w.trace("%s starts, %s", p.name, p.me.Identity)
	p.post(machine.Begin{})
}

// crash ends the process at once.
func (p *process) crash() {
	w := p.world
	w.trace("%s crashes", p.name)
	p.alive = false
	p.end()
}

// end releases what a process leaves behind.
func (p *process) end() {
	for _, t := range slices.Clone(p.tasks) {
		t.kill()
	}
	for _, id := range sortedKeys(p.watches) {
		p.watches[id].Cancel()
	}
	p.tasks, p.operations, p.watches, p.tenure = nil, nil, nil, nil
	p.timer++
}

// post has the machine take an event. A paused process takes it when it goes on.
func (p *process) post(event machine.Event) {
	if !p.alive {
		return
	}
	w := p.world
	if p.pausedUntil > w.now {
		generation := p.generation
		w.atTime(p.pausedUntil, func() {
			if p.generation == generation {
				p.post(event)
			}
		})
		return
	}
	p.step(event)
}

// step takes the machine one step further, now.
func (p *process) step(event machine.Event) {
	before := p.machine.Belief()
	var actions []machine.Action
	p.machine, actions = machine.Step(p.machine, event, p.now())
	if p.world.still > 1000 {
		p.world.violated("no hot loop", "%s: %T makes %v", p.name, event, actions)
		return
	}
	p.world.checkStep(p, before)
	for _, action := range actions {
		p.perform(action)
	}
	p.world.checkBelief()
}

func (p *process) perform(action machine.Action) {
	w := p.world
	switch a := action.(type) {
	case machine.Do:
		p.begin(a.Operation)
	case machine.Cancel:
		if watch := p.watches[a.Op]; watch != nil {
			watch.Cancel()
			p.lookAtWatches()
		} else if t := p.operations[a.Op]; t != nil {
			t.cancel(errCancelled)
		}
	case machine.Lead:
		p.lead(a.Leader)
	case machine.Drain:
		if t := p.tenure; t != nil && t.token.Term == a.Term {
			t.drained = true
			w.trace("%s drains term %d: %s", p.name, a.Term, a.Reason)
		}
	case machine.Expire:
		if t := p.tenure; t != nil && t.token.Term == a.Term {
			t.expired = true
			w.trace("%s ends term %d", p.name, a.Term)
		}
	case machine.Move:
		w.trace("%s is %s, was %s: %s (term %d)", p.name, a.To, a.From, a.Reason, a.Term)
		w.checkMove(p, a.Transition)
	case machine.Follow:
		w.trace("%s sees %s", p.name, a.Leader)
	case machine.Evicted:
		w.trace("%s evicted %v", p.name, a.IDs)
	case machine.Report:
		w.trace("%s reports: %v", p.name, a.Err)
	case machine.Wake:
		p.wake(a.At)
	case machine.Finish:
		w.trace("%s has left: %v", p.name, a.Err)
		p.alive = false
		p.end()
	case machine.Adopt:
		w.trace("%s adopts config %d", p.name, a.Config.Revision)
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

// begin starts an operation as a task.
func (p *process) begin(op machine.Operation) {
	w := p.world
	floor := w.last.Leader.Ballot
	t := p.start(func(t *task) {
		if op.Kind == machine.WatchTerm || op.Kind == machine.WatchIntent {
			watch, answer := p.operator.Arm(t.ctx, op)
			answer.Err = t.cause(answer.Err)
			w.checkSight(p, op.Kind, floor, &answer)
			if answer.Err == nil && p.alive {
				p.watches[op.ID] = watch
			}
			p.answer(t, op, answer)
			p.lookAtWatches()
			return
		}
		answer := p.operator.Run(t.ctx, op, func(e machine.Event) { p.tell(t, e) })
		answer.Err = t.cause(answer.Err)
		w.checkSight(p, op.Kind, floor, &answer)
		p.answer(t, op, answer)
	})
	p.operations[op.ID] = t
	w.after(op.Limit, func() { t.cancel(errLimit) })
}

// tell takes an event of an operation that goes on.
func (p *process) tell(t *task, e machine.Event) {
	if !t.ended && p.alive {
		p.step(e)
	}
}

func (p *process) answer(t *task, op machine.Operation, answer machine.Answer) {
	if t.ended || !p.alive {
		return
	}
	delete(p.operations, op.ID)
	p.world.trace("%s: %s answered: %v", p.name, op.Kind, answer.Err)
	p.post(machine.Answered{Op: op.ID, Answer: answer})
}

// cause gives the error of a cancelled task its cause.
func (t *task) cause(err error) error {
	if err != nil && t.ctx.err != nil && kv.CodeOf(err) == 0 {
		return t.ctx.err
	}
	return err
}

// lookAtWatches tells the machine of those that have ended.
func (p *process) lookAtWatches() {
	for _, id := range sortedKeys(p.watches) {
		watch := p.watches[id]
		if !isDone(watch) {
			continue
		}
		delete(p.watches, id)
		generation := p.generation
		p.world.after(0, func() {
			if p.generation == generation {
				p.post(machine.Fired{Op: id, Err: watch.Err()})
			}
		})
	}
}

// lead begins the work of a tenure: fenced transactions and messages to a sink
// outside, until some time after it was asked to stop.
func (p *process) lead(leader election.Leader) {
	w := p.world
	t := &tenure{token: leader.Token(), begun: w.now}
	p.tenure = t
	w.trace("%s leads: %s", p.name, leader)
	w.count("tenure")
	generation := p.generation
	deaf := 0 // how often it works on as if it had not been told to stop
	if p.random.IntN(20) == 0 {
		deaf = p.random.IntN(8)
	}
	p.start(func(task *task) {
		for !t.drained || deaf > 0 {
			if t.drained {
				deaf--
			}
			if task.wait(time.Duration(p.random.Int64N(int64(w.lease/2))), true) != nil {
				return
			}
			if t.drained && deaf == 0 {
				break
			}
			p.work(task, t)
			if p.random.IntN(400) == 0 && w.quiet == 0 && !t.drained { // it ends of itself
				var err error
				if p.random.IntN(2) == 0 {
					err = errWork
				}
				p.step(machine.Ending{Term: t.token.Term, Err: err})
			}
		}
		stop := time.Duration(p.random.Int64N(int64(w.lease / 10)))
		if p.random.IntN(20) == 0 {
			stop = time.Duration(p.random.Int64N(int64(3 * w.lease)))
		}
		if task.wait(stop, true) != nil {
			return
		}
		if p.generation == generation && p.alive {
			t.returned = true
			w.trace("%s: the work of term %d has returned", p.name, t.token.Term)
			p.step(machine.Returned{Term: t.token.Term})
		}
	})
}

// work commits one fenced write, and sends one message.
func (p *process) work(task *task, t *tenure) {
	w := p.world
	w.sink(t.token.Term)
	err := p.operator.Database.Transact(task.ctx, func(tr kv.Transaction) error {
		if err := w.election.RequireLeadership(tr, t.token); err != nil {
			return err
		}
		tr.Set(w.fencedKey(), []byte(fmt.Sprint(t.token.Term)))
		return nil
	})
	if err == nil {
		w.count("fenced write")
	}
}

// forget drops a task that has ended.
func (p *process) forget(t *task) {
	p.tasks = slices.DeleteFunc(p.tasks, func(other *task) bool { return other == t })
}

// leave has the process stop in order.
func (p *process) leave() {
	if p.alive && !p.stopping {
		p.stopping = true
		p.world.trace("%s is told to leave", p.name)
		p.post(machine.Leave{})
	}
}
