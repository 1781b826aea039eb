package simulation

import (
	"fmt"

	"github.com/fdbelection/fdbelection/internal/machine"
)

// trace adds a line about a process, or about the database if p is nil.
func (w *world) trace(p *process, format string, args ...any) {
	name := ""
	if p != nil {
		name = p.name
	}
	w.traceOf(name, format, args...)
}

func (w *world) cells() []string {
	cells := make([]string, len(w.hosts))
	for _, p := range w.live {
		if p.host.column >= 0 {
			cells[p.host.column] = p.cell()
		}
	}
	return cells
}

// cell is the state of a process in a few characters.
func (p *process) cell() string {
	switch {
	case !p.deadlines.Stop.IsZero():
		return fmt.Sprintf("L%d%s", p.deadlines.Term, p.mark())
	case !p.deadlines.End.IsZero():
		return fmt.Sprintf("D%d%s", p.deadlines.Term, p.mark())
	case p.world.state.Leader.HeldBy(p.me.Identity):
		return "*" + p.mark()
	default:
		return "." + p.mark()
	}
}

func (w *world) traceAction(p *process, action machine.Action) {
	switch a := action.(type) {
	case machine.Lead:
		w.trace(p, "LEADS in term %d, ballot %d", a.Leader.Term, a.Leader.Ballot)
	case machine.Drain:
		w.trace(p, "drains term %d: %s", a.Term, a.Reason)
	case machine.Expire:
		w.trace(p, "ends term %d", a.Term)
	case machine.StateChanged:
		w.trace(p, "changes to %s from %s: %s", a.To, a.From, a.Reason)
	case machine.LeaderChanged:
		if a.Metadata {
			w.trace(p, "sees new metadata of %s", a.Leader)
		} else {
			w.trace(p, "sees %s", a.Leader)
		}
	case machine.CandidatesChanged:
		w.trace(p, "sees the candidates change")
	case machine.Evicted:
		w.trace(p, "evicted %v", a.IDs)
	case machine.IDInUse:
		w.trace(p, "finds %s registered under its id", a.Existing.Identity)
	case machine.HoldOff:
		w.trace(p, "holds off for %s after %d failures", a.For, a.Failures)
	case machine.Delayed:
		w.trace(p, "is delayed by the %s until %s", a.Rule, a.Until.Sub(epoch))
	case machine.Report:
		if a.Err != nil {
			w.trace(p, "reports: %v", a.Err)
		}
	case machine.Finish:
		w.trace(p, "has left: %v", a.Err)
	case machine.StartOperation, machine.CancelOperation, machine.Wake, machine.ConfigChanged:
	}
}
