package run

import (
	"context"
	"errors"
	"log/slog"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
)

// account logs what happens to one elector: a line for each change of the leader
// record, and of the process's own state. Its methods are callbacks, which are called
// in order and one at a time.
type account struct {
	log *slog.Logger
	id  string // of this candidate
	// joined is called once, when the leader record has been seen first.
	joined func()

	state elector.State
	seen  bool
	// missing says that the last trouble was an election that does not exist.
	missing bool
}

func (a *account) callbacks() elector.Callbacks {
	return elector.Callbacks{
		OnTransition:       func(_ context.Context, t elector.Transition) { a.transition(t) },
		OnLeadershipChange: func(_ context.Context, l elector.LeaderInfo) { a.seatChange(l.LeaderRecord) },
		OnStoreError:       func(_ context.Context, err error) { a.trouble(err) },
	}
}

// seatChange logs a change of the leader if the process's own state stays as it is:
// else the transition that follows does.
func (a *account) seatChange(seat election.LeaderRecord) {
	if !a.seen {
		a.seen = true
		a.joined()
	}
	switch {
	case seat.Vacant() && a.state == elector.StateCandidate,
		!seat.Vacant() && a.state == elector.StateFollower && seat.ID != a.id:
		a.leaderChanged(a.state, seat)
	}
}

// transition logs a change of the process's own state.
func (a *account) transition(t elector.Transition) {
	a.state = t.To
	reason := string(t.Reason)
	switch lost := t.From.Leads() && !t.To.Leads(); {
	case t.From == elector.StateStopped: // the leader record has not been seen yet
	case t.To == elector.StateJeopardy && t.From.Leads():
		a.line(slog.LevelWarn, "leadership in jeopardy", t.To, t.Leader, "a renewal is overdue")
	case t.From == elector.StateJeopardy && t.To == elector.StateLeader:
		a.line(slog.LevelInfo, "leadership renewed", t.To, t.Leader, reason)
	case t.To == elector.StateStopped:
		a.line(slog.LevelInfo, "stopped", t.To, t.Leader, reason)
	case lost && (t.Reason == elector.ReasonStopped || t.Reason == elector.ReasonFailed):
		a.line(slog.LevelInfo, "stopping", t.To, t.Leader, reason)
	case lost:
		a.line(slog.LevelWarn, "leadership lost", t.To, t.Leader, reason)
	case t.To.Leads():
		a.line(slog.LevelInfo, "leadership acquired", t.To, t.Leader, records.AcquireText(t.Leader))
	case t.To == elector.StateCandidate && !t.Leader.Vacant() && t.Leader.ID != a.id:
		expired := t.Leader.Identity.String()
		t.Leader.Identity = election.Identity{} // this process does not know of a leader any more
		a.line(slog.LevelInfo, "leader expired", t.To, t.Leader, expired+" was not seen to renew for its lease")
	default:
		a.leaderChanged(t.To, t.Leader)
	}
}

// leaderChanged logs who leads.
func (a *account) leaderChanged(role elector.State, seat election.LeaderRecord) {
	a.line(slog.LevelInfo, "leader changed", role, seat, records.AcquireText(seat))
}

// line logs how things are after a change. The id of the leader is empty if there is
// none.
func (a *account) line(level slog.Level, message string, role elector.State, seat election.LeaderRecord, reason string) {
	if role == elector.StateJeopardy {
		role = elector.StateLeader
	}
	a.log.Log(context.Background(), level, message,
		"leader", seat.ID, "term", seat.Term, "ballot", seat.Ballot, "role", role.String(), "reason", reason)
}

// trouble logs what is wrong with the store, and with nil that it is available again. An
// election that does not exist yet is not a fault of the store.
func (a *account) trouble(err error) {
	was := a.missing
	a.missing = errors.Is(err, fdbelection.ErrNotInitialized)
	switch {
	case a.missing:
		a.log.Warn("the election does not exist yet, waiting for it")
	case err != nil:
		a.log.Warn("store unavailable, trying again", "error", err)
	case was:
		a.log.Info("the election exists now")
	default:
		a.log.Info("store available again")
	}
}
