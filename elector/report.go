package elector

import (
	"errors"
	"log/slog"
	"slices"
	"strings"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/loop"
	"github.com/fdbelection/fdbelection/internal/machine"
)

// Errors returns the channel of errors that no call returns. The section "What is
// reported" of the package documentation lists them. Nothing waits for a reader: if 64
// errors are waiting, the oldest is dropped. The channel is never closed.
func (e *Elector) Errors() <-chan error { return e.errs }

// report puts an error into Errors. The caller has logged it.
func (e *Elector) report(err error) { e.errs.Report(err) }

// reportStore reports an error of the store once per change, and its end. Errors of
// watches are logged by logWatch.
func (s *session) reportStore(r machine.Report) {
	if r.Err == nil || r.Err.Error() == s.machine.View().StoreError { // else it is not about the leader record
		s.storeError = r.Err
		s.elector.publish(s)
	}
	s.notify.storeError(r.Err)
	switch {
	case r.Err == nil:
		s.log().Info("store available again")
		return
	case !r.Kind.Watches():
		s.log().Warn("store error", "error", loop.LineError{Err: r.Err})
	}
	s.elector.report(r.Err)
}

// reportState reports a change of state to the log and the callbacks.
func (s *session) reportState(t Transition) {
	s.elector.counts.transition(t)
	s.spans.transition(t)
	level := slog.LevelInfo
	if t.To == StateJeopardy || t.From.Leads() && !t.To.Leads() && !ownDecision(t.Reason) {
		level = slog.LevelWarn
	}
	s.log().Log(s.values, level, "state changed",
		"from", t.From.String(), "to", t.To.String(), "reason", string(t.Reason),
		"term", t.Term, "leader", election.SafeText(t.Leader.ID), "ballot", t.Leader.Ballot)
	s.notify.transition(t, s.lead)
}

// ownDecision reports whether a process stopped leading because its own program decided
// so.
func ownDecision(r Reason) bool {
	switch r {
	case ReasonStopped, ReasonWorkReturned, ReasonRole, ReasonDemoted:
		return true
	default:
		return false
	}
}

// reportLeader reports a change of leadership, or of the metadata of the leader, to the
// log, the subscribers and the callbacks.
func (s *session) reportLeader(change machine.LeaderChanged) {
	leader, message := change.Leader, "leader changed"
	if change.Metadata {
		message = "metadata of the leader changed"
	}
	if change.Metadata || !s.stateChanged { // otherwise the change of state names the leader
		s.log().Info(message,
			"leader", election.SafeText(leader.ID), "term", leader.Term, "ballot", leader.Ballot)
	}
	view := s.machine.View()
	info := withMetadata(&view, leader)
	s.elector.broadcaster.send(info)
	s.notify.leadershipChange(info)
	if !leader.Vacant() && leader.Accepted && leader.Token() != s.announced {
		s.announced = leader.Token()
		s.notify.newLeader(info)
	}
}

func (s *session) reportConfig(config fdbelection.Config) {
	s.log().Info("config", "revision", config.Revision,
		"lease", config.LeaseDuration.String(), "heartbeat", config.HeartbeatInterval.String(),
		"timeout", config.CandidateTimeout.String(), "enabled", config.ElectionEnabled, "expiry", config.Expiry.String())
	s.compareConfig(config)
}

// compareConfig logs a warning, once per stored revision, if the stored config differs
// from the config of this elector. The caller holds s.mu.
func (s *session) compareConfig(stored fdbelection.Config) {
	e := s.elector
	creates := s.mode != subscribing && !e.options.MustExist
	if stored == e.compared || !creates && !e.configGiven {
		return
	}
	e.compared = stored
	differences := stored.Differences(e.options.Config)
	if len(differences) == 0 {
		return
	}
	fields := []any{
		"revision", stored.Revision, "differences", strings.Join(differences, "; "),
	}
	if texts := weaker(stored, e.options.Config); len(texts) > 0 {
		fields = append(fields, "weaker", strings.Join(texts, "; "))
	}
	fields = append(fields, "hint", `every process uses the stored config; change it with "fdbelect config set"`)
	s.log().Warn("stored config differs from the config of this process", fields...)
}

// weaker returns the weaknesses that stored has and given has not.
func weaker(stored, given fdbelection.Config) (texts []string) {
	own := given.Weaknesses()
	for _, weakness := range stored.Weaknesses() {
		if !slices.Contains(own, weakness) {
			texts = append(texts, weakness.String())
		}
	}
	return texts
}

// reportWork reports an error of the work of Run.
func (s *session) reportWork(err *WorkError) {
	s.log().Warn("work failed", "term", err.Term, "stopping", err.Stopping, "error", loop.LineError{Err: err.Err})
	s.elector.report(err)
}

// reportUnfinished reports work that runs longer than its lease.
func (s *session) reportUnfinished(err *UnfinishedWorkError) {
	s.log().Warn("work may still run after its lease", "term", err.Term, "problem", err.Problem)
	s.elector.report(err)
}

// reportCallback reports a callback that was late or panicked.
func (s *session) reportCallback(err *CallbackError) {
	fields := []any{
		"callback", err.Callback, "term", err.Transition.Term, "skipped", err.Skipped, "error", loop.LineError{Err: err.Err},
	}
	if panicked, ok := errors.AsType[*PanicError](err.Err); ok {
		fields = append(fields, "stack", strings.Split(strings.TrimSpace(string(panicked.Stack)), "\n"))
	}
	s.log().Warn("callback failed", fields...)
	s.elector.report(err)
}
