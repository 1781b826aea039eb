package cli

import (
	"context"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/elector/machine"
)

// account keeps the journal of one elector: a line for each change of the seat,
// and of the own part in it. Its methods are callbacks, which come one after the
// other and in order.
type account struct {
	*journal
	clock elector.Clock
	id    string // of this candidate
	// joined is called once, when the seat has been seen first.
	joined func()

	state elector.State
	seen  bool
}

func (a *account) callbacks() elector.Callbacks {
	return elector.Callbacks{
		OnTransition: func(_ context.Context, t elector.Transition) { a.transition(t) },
		OnSeatChange: func(_ context.Context, l elector.Leader) { a.seatChange(l.Leader) },
		OnTrouble:    func(_ context.Context, err error) { a.trouble(err) },
	}
}

// seatChange tells of a change of the seat, where the own state stays as it is:
// else the transition that follows does.
func (a *account) seatChange(seat election.Leader) {
	if !a.seen {
		a.seen = true
		a.joined()
	}
	switch {
	case seat.Vacant() && a.state == elector.StateCandidate,
		!seat.Vacant() && a.state == elector.StateFollower && seat.ID != a.id:
		a.line(elector.Transition{To: a.state, Leader: seat}, noteOf(seat))
	}
}

// transition tells of a change of the own state.
func (a *account) transition(t elector.Transition) {
	a.state = t.To
	switch lost := t.From.Leads() && !t.To.Leads(); {
	case t.From == elector.StateStopped: // the seat has not been seen yet
	case t.To == elector.StateJeopardy && t.From.Leads():
		a.line(t, "in jeopardy: a renewal is overdue")
	case t.From == elector.StateJeopardy && t.To == elector.StateLeader, t.To == elector.StateStopped:
		a.line(t, string(t.Reason))
	case lost && (t.Reason == machine.ReasonStopped || t.Reason == machine.ReasonFailed):
		a.line(t, "stopping: leaving")
	case lost:
		a.line(t, "stopping: "+string(t.Reason))
	case t.To == elector.StateCandidate && !t.Leader.Vacant() && t.Leader.ID != a.id:
		silent := t.Leader.Identity.String()
		t.Leader.Identity = election.Identity{} // nobody leads, as far as this process knows
		a.line(t, silent+" was not seen to renew for its lease")
	default:
		a.line(t, noteOf(t.Leader))
	}
}

// noteOf says how the seat came to be as it is.
func noteOf(seat election.Leader) string {
	switch {
	case seat.Vacant() && seat.Ballot == 0:
		return "never held"
	case seat.Vacant():
		return "vacant"
	case !seat.Accepted:
		return seat.Origin.String() + ", handed over"
	default:
		return seat.Origin.String()
	}
}

// line writes how things are after a change. It is stamped here, so that the
// times of the lines do not go back.
func (a *account) line(t elector.Transition, note string) {
	leader, role := "-", t.To
	if !t.Leader.Vacant() {
		leader = field(t.Leader.ID)
	}
	if role == elector.StateJeopardy {
		role = elector.StateLeader
	}
	a.change(a.clock.Wall(), leader, t.Leader.Term, t.Leader.Ballot, role.String(), note)
}

// trouble writes what is wrong with the store, or that all is well again.
func (a *account) trouble(err error) {
	if err == nil {
		a.note("all is well again")
		return
	}
	a.note(err.Error() + " (trying again)")
}
