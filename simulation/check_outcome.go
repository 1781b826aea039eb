package simulation

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// checkBegin is a part of invariant 26. If a process does not hold leadership and an
// attempt of it on the leader record is unsettled, it settles that attempt before it reads
// the leader record or runs another cycle.
func (w *world) checkBegin(op *operation) {
	p := op.process
	w.checkYields(op)
	if !p.unsettled || p.machine.Holds() {
		return
	}
	switch op.what.Kind {
	case machine.ReadLeader, machine.ElectionCycle, machine.Heartbeat:
		w.violated(invSettled, "%s: %s before an unsettled attempt was settled", p.name, op.what.Kind)
	default:
	}
}

// checkAnswer runs the checks on the answer of an operation.
func (w *world) checkAnswer(op *operation, a *machine.Answer, outcome kv.Outcome) {
	op.done, op.mayHaveWritten = true, a.MayHaveWritten
	op.final = outcome != kv.Unsettled
	p := op.process
	w.checkOutcome(op, a, outcome)
	w.checkReadAfterCommit(op, a)
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
		w.situation("duplicate id detected")
		w.checkRefusal(op, a)
	}
	if errors.Is(a.Err, machine.ErrLeadershipLost) {
		w.situation("leader detects that it lost leadership")
	}
	if a.Err == nil && op.what.TakeOver {
		w.situation("candidate replaced under its id")
	}
	if a.Err == nil && op.what.Kind == machine.Rejoin {
		w.situation("registered again")
	}
	if a.Err == nil && a.Action == election.Draining {
		w.situation("disabled leader drains")
	}
}

// checkOutcome is invariant 16. What a process concludes from an answer agrees with the
// commit log. A write that was acknowledged is there. A write that surely failed is not. A
// resignation or hand-over of a named tenure takes effect at most once.
func (w *world) checkOutcome(op *operation, a *machine.Answer, outcome kv.Outcome) {
	kind, name := op.what.Kind, op.process.name
	if a.Err != nil {
		if outcome == kv.NotCommitted && op.commits > 0 && kind != machine.ElectionCycle && op.task.lost == 0 && len(op.leaders)+boolInt(op.wrote) > 0 {
			w.violated(invOutcome, "%s: %s surely failed (%v), but is in the log", name, kind, a.Err)
		}
		return
	}
	switch kind {
	case machine.Register, machine.Rejoin, machine.Heartbeat:
		if !op.wrote && a.Existing == nil {
			w.violated(invOutcome, "%s: %s was acknowledged, but is not in the log", name, kind)
		}
	case machine.Unregister, machine.Settle:
		if op.commits == 0 {
			w.violated(invOutcome, "%s: %s was acknowledged, but is not in the log", name, kind)
		}
	case machine.ElectionCycle:
		if n := len(op.leaders); a.Action.Leads() && a.Action != election.Draining && (n == 0 || op.leaders[n-1] != a.Status.Leader) {
			w.violated(invOutcome, "%s: %s %s, but that is not in the log", name, a.Action, a.Status.Leader)
		}
		if !op.wrote {
			w.violated(invOutcome, "%s: a cycle was acknowledged without its heartbeat", name)
		}
	case machine.Resign:
		if leader := &w.state.Leader; !leader.Vacant() && leader.Token() == op.what.Token {
			w.violated(invOutcome, "%s has resigned, but the leader record says %s", name, leader)
		}
	default:
	}
	if (kind == machine.Resign || kind == machine.HandOver) && len(op.leaders) > 1 {
		w.violated(invOutcome, "%s: %s took effect %d times", name, kind, len(op.leaders))
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// checkLanding is a part of invariants 16 and 26. An operation commits nothing after its
// process was told the final outcome, and a process commits nothing after it has left in
// order. Evictions are an exception: they depend only on the records of timed-out
// candidates. So is the event of a process that has found a live one under its id, and a commit that
// settles and writes nothing.
func (w *world) checkLanding(c *commit) {
	op := c.op
	if op == nil || op.what.Kind == machine.Evict {
		return
	}
	registers := func(m memkv.Mutation) bool { return w.keys.candidates.Contains(m.Key) }
	if op.what.Kind == machine.Register && !c.leader && !slices.ContainsFunc(c.entry.Mutations, registers) {
		return
	}
	switch {
	case op.process.left && len(c.entry.Mutations) > 0:
		w.violated(invSettled, "%s commits after its process has left", c.name())
	case op.done && op.final:
		w.violated(invOutcome, "%s (%s) commits after its answer", c.name(), op.what.Kind)
	case op.done && c.leader && !op.mayHaveWritten && op.what.Kind != machine.Unregister && op.what.Kind != machine.Register:
		w.violated(invSettled, "%s (%s) writes the leader record, but its answer said that it would not", c.name(), op.what.Kind)
	}
}

// checkSettled is a part of invariant 26. A commit that writes or settles the leader record
// has read it after the last commit that did. So no earlier attempt lands after a settling
// commit.
func (w *world) checkSettled(c *commit) {
	leader := w.keys.leader
	if !slices.ContainsFunc(c.entry.WriteConflicts, func(r memkv.Range) bool {
		return bytes.Compare(r.Begin, leader) <= 0 && bytes.Compare(leader, r.End) < 0
	}) {
		return
	}
	if c.by != nil && c.entry.ReadVersion < w.leaderTouched {
		w.violated(invSettled, "%s writes a leader record that was written or settled since it was read", c.name())
	}
	w.leaderTouched = c.entry.Version
}

// checkReadAfterCommit is invariant 18. Reads are not stale: an operation that began after
// a commit sees at least the ballot of that commit.
func (w *world) checkReadAfterCommit(op *operation, a *machine.Answer) {
	if a.Err != nil || !reads(op.what.Kind) || op.deletions != w.deleted.leaders {
		return
	}
	if saw := a.Status.Leader.Ballot; saw < op.ballotAtStart {
		w.violated(invReadAfterCommit, "%s: %s saw ballot %d after %d", op.process.name, op.what.Kind, saw, op.ballotAtStart)
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

// callKind is what a call does to the leader record.
type callKind int

const (
	reading   callKind = iota
	writing            // raises the ballot by one
	replacing          // deletes or restores the record
)

// call is one read or write in the history of the leader record. It has the places of the
// call and of its return in the order of all calls and returns.
type call struct {
	kind          callKind
	ballot        uint64
	called, after uint64
	by            *operation
}

// noteCall adds a commit that writes the leader record to the history. If its answer is
// lost, it may return at any later time.
func (w *world) noteCall(c *commit) {
	if !w.opts.Linearize {
		return
	}
	made := call{kind: writing, ballot: c.after.Leader.Ballot, called: w.ticks, after: 1 << 62, by: c.op}
	if c.op != nil {
		made.called = c.op.called
	}
	if c.missing || c.forced(labelRaiseTerm) {
		made.kind = replacing
	}
	w.calls = append(w.calls, made)
}

// noteDeletedLeader adds the deletion of the leader record to the history.
func (w *world) noteDeletedLeader() {
	if w.opts.Linearize {
		w.calls = append(w.calls, call{kind: replacing, called: w.tick(), after: w.tick()})
	}
}

// noteAnswer adds what an operation has read from or written to the leader record.
func (w *world) noteAnswer(op *operation, a *machine.Answer) {
	if !w.opts.Linearize || a.Err != nil || !reads(op.what.Kind) {
		return
	}
	at := w.tick()
	ballot := a.Status.Leader.Ballot
	if w.deleted.restoredBallots[ballot] { // the record is gone
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

// leaderModel is the leader record as a register. A write raises the ballot by one, a read
// returns the current one. A deletion or a restored record sets it.
var leaderModel = porcupine.Model{
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

// next returns the ballot after one.
func next(ballot any) uint64 {
	n, _ := ballot.(uint64)
	return n + 1
}

// linearizeLimit bounds the search for an order. It takes milliseconds if there is one,
// and may take forever if there is none.
const linearizeLimit = 10 * time.Second

// checkLinearizable is invariant 17. Porcupine searches for one order of all reads and
// writes of the leader record that explains every answer, each at an instant between its
// call and its return. A write whose answer was lost may take effect at any later time.
func (w *world) checkLinearizable() {
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
	if w.opts.keepGoing {
		limit /= 10
	}
	if porcupine.CheckOperationsTimeout(leaderModel, history, limit) == porcupine.Illegal {
		w.violated(invLinearizable, "no order explains the %d reads and writes of the leader record", len(history))
	}
}
