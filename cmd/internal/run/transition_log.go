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

// transitionLog logs a line for each change of the leader and of the state of this
// process. The elector calls its methods in order and one at a time.
type transitionLog struct {
	log *slog.Logger
	id  string // of this candidate
	// joined is called once, after the first read of the leader record.
	joined func()

	state elector.State
	seen  bool
	last  election.LeaderRecord // as it was reported last
	// missing is true if the last store error was that the election does not exist.
	missing bool
}

func (l *transitionLog) callbacks() elector.Callbacks {
	return elector.Callbacks{
		OnTransition:       func(_ context.Context, t elector.Transition) { l.transition(t) },
		OnLeadershipChange: func(_ context.Context, info elector.LeaderInfo) { l.recordChanged(info.LeaderRecord) },
		OnStoreError:       func(_ context.Context, err error) { l.storeError(err) },
	}
}

// recordChanged logs a change of the leader if the state of this process stays the same.
// Otherwise a transition follows, which logs both.
func (l *transitionLog) recordChanged(leader election.LeaderRecord) {
	if !l.seen {
		l.seen = true
		l.joined()
	}
	switch {
	case leader.Vacant() && l.state == elector.StateCandidate,
		!leader.Vacant() && l.state == elector.StateFollower && leader.ID != l.id:
		l.reported(l.state, leader)
	}
	l.last = leader
}

// subscribed logs a change of the leader or of its metadata, for a process that only
// subscribes.
func (l *transitionLog) subscribed(leader election.LeaderRecord) {
	l.reported(elector.StateObserver, leader)
	l.last = leader
}

// reported logs a record that was reported. If it is of the same tenure as the last one,
// the metadata of the leader have changed.
func (l *transitionLog) reported(role elector.State, leader election.LeaderRecord) {
	if !leader.Vacant() && leader.Token() == l.last.Token() && leader.Accepted == l.last.Accepted {
		l.line(slog.LevelInfo, "metadata of the leader changed", role, leader, records.AcquireText(leader))
		return
	}
	l.leaderChanged(role, leader)
}

// transition logs a change of the state of this process.
func (l *transitionLog) transition(t elector.Transition) {
	l.state = t.To
	reason := string(t.Reason)
	switch lost := t.From.Leads() && !t.To.Leads(); {
	case t.From == elector.StateStopped: // the leader record has not been seen yet
	case t.To == elector.StateJeopardy && t.From.Leads():
		l.line(slog.LevelWarn, "leadership in jeopardy", t.To, t.Leader, "a renewal is overdue")
	case t.From == elector.StateJeopardy && t.To == elector.StateLeader:
		l.line(slog.LevelInfo, "leadership renewed", t.To, t.Leader, reason)
	case t.To == elector.StateStopped:
		l.line(slog.LevelInfo, "stopped", t.To, t.Leader, reason)
	case lost && (t.Reason == elector.ReasonStopped || t.Reason == elector.ReasonFailed):
		l.line(slog.LevelInfo, "stopping", t.To, t.Leader, reason)
	case lost:
		l.line(slog.LevelWarn, "leadership lost", t.To, t.Leader, reason)
	case t.To.Leads():
		l.line(slog.LevelInfo, "leadership acquired", t.To, t.Leader, records.AcquireText(t.Leader))
	case t.To == elector.StateCandidate && !t.Leader.Vacant() && t.Leader.ID != l.id:
		expired := t.Leader.Identity.String()
		t.Leader.Identity = election.Identity{} // the line names no leader
		l.line(slog.LevelInfo, "leader expired", t.To, t.Leader, "no renewal by "+expired+" was seen for its lease")
	default:
		l.leaderChanged(t.To, t.Leader)
	}
}

// leaderChanged logs the new leader.
func (l *transitionLog) leaderChanged(role elector.State, leader election.LeaderRecord) {
	l.line(slog.LevelInfo, "leader changed", role, leader, records.AcquireText(leader))
}

// line logs the state after a change. The id of the leader is empty if there is none.
func (l *transitionLog) line(level slog.Level, message string, role elector.State, leader election.LeaderRecord, reason string) {
	if role == elector.StateJeopardy {
		role = elector.StateLeader
	}
	l.log.Log(context.Background(), level, message,
		"leader", leader.ID, "term", leader.Term, "ballot", leader.Ballot, "role", role.String(), "reason", reason)
}

// storeError logs a store error, or for nil that the store is available again. If the
// election does not exist yet, it says that instead.
func (l *transitionLog) storeError(err error) {
	was := l.missing
	l.missing = errors.Is(err, fdbelection.ErrNotInitialized)
	switch {
	case l.missing:
		l.log.Warn("the election does not exist yet, waiting for it")
	case err != nil:
		l.log.Warn("store unavailable, trying again", "error", err)
	case was:
		l.log.Info("the election exists now")
	default:
		l.log.Info("store available again")
	}
}
