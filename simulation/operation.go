package simulation

import (
	"fmt"
	"strconv"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
)

// operation is one operation that a process has started, and its result.
type operation struct {
	process        *process
	what           machine.Operation
	task           *task
	ballotAtStart  uint64         // the ballot when it began
	leadsIn        election.Token // the tenure in which its process led then
	deletions      int            // of the leader record, until it began
	called         uint64         // its place in the order of calls and returns
	done           bool
	cancelled      bool      // its process does not read the answer
	final          bool      // its outcome is known: it commits nothing more
	mayHaveWritten bool      // its answer said so
	yields         bool      // it claims from a leader that may have a head start
	began          time.Time // by the clock of its process; only of a main operation

	// From the commit log.
	commits int
	wrote   bool // its own candidate record
	leaders []election.LeaderRecord
}

// begin starts an operation as a task.
func (p *process) begin(what machine.Operation) {
	w := p.world
	op := &operation{process: p, what: what, ballotAtStart: w.state.Leader.Ballot, deletions: w.deleted.leaders, called: w.tick()}
	if p.tenure != nil && !p.deadlines.Stop.IsZero() {
		op.leadsIn = p.tenure.token
	}
	label := p.name + "/" + strconv.FormatUint(what.ID, 10)
	w.operations[label] = op
	p.running[what.ID] = op
	w.checkBegin(op)
	p.unregisters = p.unregisters || what.Kind == machine.Unregister
	op.task = p.start(label, func(t *task) {
		t.op = op
		var answer machine.Answer
		var watch kv.Watch
		if what.Kind.Watches() {
			watch, answer = p.executor.Arm(t.ctxOf(), what)
		} else {
			answer = p.executor.Run(t.ctxOf(), what, func(e machine.Event) { p.tell(t, e) })
		}
		p.answer(t, op, watch, answer)
	})
	op.task.limit(p.clocks.lasts(what.Limit))
}

// tell passes an event of a running operation to the state machine.
func (p *process) tell(t *task, e machine.Event) {
	if t.killed || !p.alive {
		return
	}
	p.world.checkAttempt(p, t.op, e)
	p.step(e)
}

func (p *process) answer(t *task, op *operation, watch kv.Watch, answer machine.Answer) {
	w := p.world
	if t.killed || !p.alive {
		if watch != nil {
			watch.Cancel()
		}
		return
	}
	outcome := kv.OutcomeOf(answer.Err)
	answer.Err = t.cause(answer.Err)
	delete(p.running, op.what.ID)
	w.mixNumbers(uint64(w.now), op.called, uint64(op.what.Kind), answer.Status.Leader.Ballot, uint64(kv.CodeOf(answer.Err)))
	if w.tracing && (answer.Err != nil || op.what.Kind != machine.ReadLeader && op.what.Kind != machine.List) {
		w.trace(p, "%s: %s", op.what.Kind, describe(&answer))
	}
	w.checkAnswer(op, &answer, outcome)
	w.noteLostTenure(op, &answer)
	if watch != nil && answer.Err == nil {
		p.arm(op.what.ID, watch)
	}
	p.post(machine.Answered{Op: op.what.ID, Answer: answer})
	p.reportEndedWatches()
}

func describe(a *machine.Answer) string {
	if a.Err != nil {
		return a.Err.Error()
	}
	return fmt.Sprintf("done (%s; %s)", a.Action, a.Status.Leader)
}
