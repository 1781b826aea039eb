package simulation

import (
	"errors"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
)

// checkBegin is a part of invariant 26. It proves that a process which holds
// nothing, and has an attempt about the seat whose fate is open, settles that
// before it looks or decides again.
func (w *World) checkBegin(op *operation) {
	p := op.process
	if !p.unsettled || p.machine.Holds() {
		return
	}
	switch op.what.Kind {
	case machine.ReadLeader, machine.ElectionCycle, machine.Heartbeat:
		w.violated(Settled, "%s: %s after an attempt that was not settled", p.name, op.what.Kind)
	default:
	}
}

// checkAnswer looks at the answer of an operation.
func (w *World) checkAnswer(op *operation, a *machine.Answer, outcome kv.Outcome) {
	op.done, op.touched = true, a.MayHaveWritten
	op.sure = outcome != kv.Unsettled
	p := op.process
	w.checkOutcome(op, a, outcome)
	w.checkSight(op, a)
	w.noteAnswer(op, a)
	switch op.what.Kind {
	case machine.ElectionCycle, machine.Resign, machine.HandOver:
		p.unsettled = p.unsettled || a.MayHaveWritten
		if a.Err == nil && (a.Action == election.Renewed || a.Action == election.Claimed) {
			p.unsettled = false
		}
	case machine.Settle:
		if a.Err == nil {
			if p.unsettled {
				w.situation("attempt settled")
			}
			p.unsettled = false
		}
	default:
	}
	if errors.Is(a.Err, fdbelection.ErrDuplicateID) {
		w.situation("duplicate id found")
	}
	if errors.Is(a.Err, machine.ErrLeadershipLost) {
		w.situation("leader finds its seat lost")
	}
	if a.Err == nil && op.what.TakeOver {
		w.situation("id taken over")
	}
	if a.Err == nil && op.what.Kind == machine.Rejoin {
		w.situation("registered again")
	}
	if a.Err == nil && a.Action == election.Draining {
		w.situation("disabled leader drains")
	}
}

// checkOutcome is invariant 16. It proves that what a process concludes from an
// answer is true in the log: an act that was acknowledged is there, as it says; one
// that surely failed is not; one that is named by a term ends that term at most
// once.
func (w *World) checkOutcome(op *operation, a *machine.Answer, outcome kv.Outcome) {
	kind, name := op.what.Kind, op.process.name
	if a.Err != nil {
		if outcome == kv.NotCommitted && op.commits > 0 && kind != machine.ElectionCycle && op.lost == 0 && len(op.seats)+boolInt(op.wrote) > 0 {
			w.violated(Outcome, "%s: %s surely failed (%v), and is in the log", name, kind, a.Err)
		}
		return
	}
	switch kind {
	case machine.Register, machine.Rejoin, machine.Heartbeat:
		if !op.wrote && a.Existing == nil {
			w.violated(Outcome, "%s: %s was acknowledged, and is not in the log", name, kind)
		}
	case machine.Unregister, machine.Settle:
		if op.commits == 0 {
			w.violated(Outcome, "%s: %s was acknowledged, and is not in the log", name, kind)
		}
	case machine.ElectionCycle:
		if n := len(op.seats); a.Action.Leads() && a.Action != election.Draining && (n == 0 || op.seats[n-1] != a.Status.Leader) {
			w.violated(Outcome, "%s: %s %s, and it is not in the log", name, a.Action, a.Status.Leader)
		}
		if !op.wrote {
			w.violated(Outcome, "%s: a cycle was acknowledged without its heartbeat", name)
		}
	case machine.Resign:
		if leader := &w.state.Leader; !leader.Vacant() && leader.Token() == op.what.Token {
			w.violated(Outcome, "%s has resigned, and the record says %s", name, leader)
		}
	default:
	}
	if (kind == machine.Resign || kind == machine.HandOver) && len(op.seats) > 1 {
		w.violated(Outcome, "%s: %s took effect %d times", name, kind, len(op.seats))
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// checkLanding is a part of invariants 16 and 26. It proves that nothing of an
// operation is committed after its process was told that its fate is known, and
// nothing of a process after it has left in order. (An eviction may be: it
// depends on the records of the dead alone.)
func (w *World) checkLanding(c *commit) {
	op := c.op
	if op == nil || op.what.Kind == machine.Evict {
		return
	}
	switch {
	case op.process.left:
		w.violated(Settled, "%s commits after its process has left", c.name())
	case op.done && op.sure:
		w.violated(Outcome, "%s (%s) commits after its answer", c.name(), op.what.Kind)
	case op.done && c.leader && !op.touched && op.what.Kind != machine.Unregister && op.what.Kind != machine.Register:
		w.violated(Settled, "%s (%s) changes the seat, and its answer said that it would not", c.name(), op.what.Kind)
	}
}

// checkSight is invariant 18. It proves that reads are not stale: an operation
// that began after a commit sees at least its ballot.
func (w *World) checkSight(op *operation, a *machine.Answer) {
	if a.Err != nil || !reads(op.what.Kind) || op.deletions != w.removed.leaders {
		return
	}
	if saw := a.Status.Leader.Ballot; saw < op.floor {
		w.violated(ReadAfterCommit, "%s: %s saw ballot %d after %d", op.process.name, op.what.Kind, saw, op.floor)
	}
}

// reads reports whether the answer of an operation holds the leader record.
func reads(kind machine.Kind) bool {
	switch kind {
	case machine.ReadLeader, machine.WatchTerm, machine.WatchRequest, machine.Settle, machine.ElectionCycle:
		return true
	default:
		return false
	}
}

// callKind says what a call does to the seat.
type callKind int

const (
	reading   callKind = iota
	writing            // raises the ballot by one
	replacing          // deletes the record, or restores it
)

// call is one call of the history of the seat, with its place and that of its
// return in the order of all calls and returns.
type call struct {
	kind          callKind
	ballot        uint64
	called, after uint64
	by            *operation
}

// noteCall notes a commit that writes the seat. Where its answer is lost it
// may return at infinity.
func (w *World) noteCall(c *commit) {
	if !w.opts.Linearize {
		return
	}
	made := call{kind: writing, ballot: c.after.Leader.Ballot, called: w.ticks, after: 1 << 62, by: c.op}
	if c.op != nil {
		made.called = c.op.called
	}
	if c.missing || c.forced(labelRaise) {
		made.kind = replacing
	}
	w.calls = append(w.calls, made)
}

// noteDeletedSeat notes that the leader record was deleted, at this instant.
func (w *World) noteDeletedSeat() {
	if w.opts.Linearize {
		w.calls = append(w.calls, call{kind: replacing, called: w.tick(), after: w.tick()})
	}
}

// noteAnswer notes what an operation has read or written of the seat.
func (w *World) noteAnswer(op *operation, a *machine.Answer) {
	if !w.opts.Linearize || a.Err != nil || !reads(op.what.Kind) {
		return
	}
	at := w.tick()
	ballot := a.Status.Leader.Ballot
	if w.removed.standIns[ballot] { // there was none
		ballot = 0
	}
	if a.Action == election.Renewed || a.Action == election.Claimed || a.Action == election.Vacated {
		for i := len(w.calls) - 1; i >= 0; i-- {
			if w.calls[i].by == op && w.calls[i].ballot == ballot {
				w.calls[i].after = at
			}
		}
		return
	}
	w.calls = append(w.calls, call{ballot: ballot, called: op.called, after: at})
}

// seatModel is the seat as a register: a write takes the ballot before it to its
// own, a read returns the one that stands. What deletes or restores the record sets
// it.
var seatModel = porcupine.Model{
	Init: func() any { return uint64(0) },
	Step: func(state, input, output any) (bool, any) {
		switch input {
		case any(writing):
			return output == any(next(state)), output
		case any(replacing):
			return true, output
		default:
			return output == state, state
		}
	},
	Equal: func(a, b any) bool { return a == b },
}

// next is the ballot after one.
func next(ballot any) uint64 {
	n, _ := ballot.(uint64)
	return n + 1
}

// linearizeLimit bounds the search for an order. Where the seat is a register it
// takes milliseconds; a history that is none can take for ever.
const linearizeLimit = 10 * time.Second

// checkLinearizable is invariant 17. It proves, by porcupine, that the seat as the
// processes saw it is one register: there is one order of all their reads and
// writes, each at an instant between its call and its return, that explains every
// answer. A write whose answer was lost may take effect at any later time.
func (w *World) checkLinearizable() {
	if !w.opts.Linearize {
		return
	}
	history := make([]porcupine.Operation, 0, len(w.calls))
	for i := range w.calls {
		c := &w.calls[i]
		history = append(history, porcupine.Operation{
			ClientId: i, Input: c.kind, Output: c.ballot, Call: int64(c.called), Return: int64(c.after),
		})
	}
	limit := linearizeLimit
	if w.opts.KeepGoing {
		limit /= 10
	}
	if porcupine.CheckOperationsTimeout(seatModel, history, limit) == porcupine.Illegal {
		w.violated(Linearizable, "no order explains the %d reads and writes of the seat", len(history))
	}
}
