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

// reporter logs what happens to one elector: a line for each change of the leader record
// and of the process's own state. The elector calls its methods one at a time, in order.
type reporter struct {
	log *slog.Logger
	id  string // of this candidate
	// joined is called once, when the leader record was seen first.
	joined func()

	state elector.State
	seen  bool
	// missing says that the last store error was a missing election.
	missing bool
}

func (r *reporter) callbacks() elector.Callbacks {
	return elector.Callbacks{
		OnTransition:       func(_ context.Context, t elector.Transition) { r.transition(t) },
		OnLeadershipChange: func(_ context.Context, l elector.LeaderInfo) { r.leaderRecordChange(l.LeaderRecord) },
		OnStoreError:       func(_ context.Context, err error) { r.storeError(err) },
	}
}

// leaderRecordChange logs a change of the leader, if the process's own state does not
// change. If it does, transition logs it.
func (r *reporter) leaderRecordChange(l election.LeaderRecord) {
	if !r.seen {
		r.seen = true
		r.joined()
	}
	switch {
	case l.Vacant() && r.state == elector.StateCandidate,
		!l.Vacant() && r.state == elector.StateFollower && l.ID != r.id:
		r.leaderChanged(r.state, l)
	}
}

// transition logs a change of the process's own state.
func (r *reporter) transition(t elector.Transition) {
	r.state = t.To
	reason := string(t.Reason)
	switch lost := t.From.Leads() && !t.To.Leads(); {
	case t.From == elector.StateStopped: // the leader record has not been seen yet
	case t.To == elector.StateJeopardy && t.From.Leads():
		r.line(slog.LevelWarn, "leadership in jeopardy", t.To, t.Leader, "a renewal is overdue")
	case t.From == elector.StateJeopardy && t.To == elector.StateLeader:
		r.line(slog.LevelInfo, "leadership renewed", t.To, t.Leader, reason)
	case t.To == elector.StateStopped:
		r.line(slog.LevelInfo, "stopped", t.To, t.Leader, reason)
	case lost && (t.Reason == elector.ReasonStopped || t.Reason == elector.ReasonFailed):
		r.line(slog.LevelInfo, "stopping", t.To, t.Leader, reason)
	case lost:
		r.line(slog.LevelWarn, "leadership lost", t.To, t.Leader, reason)
	case t.To.Leads():
		r.line(slog.LevelInfo, "leadership acquired", t.To, t.Leader, records.AcquireText(t.Leader))
	case t.To == elector.StateCandidate && !t.Leader.Vacant() && t.Leader.ID != r.id:
		expired := t.Leader.Identity.String()
		t.Leader.Identity = election.Identity{} // this process knows of no leader now
		r.line(slog.LevelInfo, "leader expired", t.To, t.Leader, expired+" was not seen to renew for its lease")
	default:
		r.leaderChanged(t.To, t.Leader)
	}
}

// leaderChanged logs the leader.
func (r *reporter) leaderChanged(role elector.State, l election.LeaderRecord) {
	r.line(slog.LevelInfo, "leader changed", role, l, records.AcquireText(l))
}

// line logs the state after a change. The id of the leader is empty if there is none.
func (r *reporter) line(level slog.Level, message string, role elector.State, l election.LeaderRecord, reason string) {
	if role == elector.StateJeopardy {
		role = elector.StateLeader
	}
	r.log.Log(context.Background(), level, message,
		"leader", l.ID, "term", l.Term, "ballot", l.Ballot, "role", role.String(), "reason", reason)
}

// storeError logs a store error, and with nil that the store is available again. An
// election that does not exist yet is not an error of the store.
func (r *reporter) storeError(err error) {
	was := r.missing
	r.missing = errors.Is(err, fdbelection.ErrNotInitialized)
	switch {
	case r.missing:
		r.log.Warn("the election does not exist yet, waiting for it")
	case err != nil:
		r.log.Warn("store unavailable, trying again", "error", err)
	case was:
		r.log.Info("the election exists now")
	default:
		r.log.Info("store available again")
	}
}
