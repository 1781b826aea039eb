package elector

import (
	"context"
	"log/slog"
	"strings"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
)

func (s *session) log() *slog.Logger { return s.elector.logger }

// named returns a logger whose records name the election and the candidate.
func named(logger *slog.Logger, e *election.LeaderElection, id string) *slog.Logger {
	space := strings.TrimPrefix(e.Subspace().String(), "subspace ")
	return logger.With("election", election.SafeText(space), "node", election.SafeText(id))
}

// lineError is an error whose text has no line breaks.
type lineError struct{ error }

func (e lineError) Unwrap() error { return e.error }

func (e lineError) Error() string {
	var lines []string
	for line := range strings.Lines(e.error.Error()) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return election.SafeText(strings.Join(lines, "; "))
}

// safe makes ids fit for a terminal.
func safe(ids []string) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = election.SafeText(id)
	}
	return texts
}

// tellStateChange tells of a change of state, once to each who listens.
func (s *session) tellStateChange(t Transition) {
	level := slog.LevelInfo
	if t.To == StateJeopardy || t.From.Leads() && !t.To.Leads() && !ownDecision(t.Reason) {
		level = slog.LevelWarn
	}
	s.log().Log(s.values, level, "state changed",
		"from", t.From.String(), "to", t.To.String(), "reason", string(t.Reason),
		"term", t.Term, "leader", election.SafeText(t.Leader.ID), "ballot", t.Leader.Ballot)
	s.notify.transition(t, s.lead)
}

// ownDecision reports whether a process gave up leadership because its own program
// decided so.
func ownDecision(r Reason) bool {
	switch r {
	case ReasonStopped, ReasonWorkReturned, ReasonRole, ReasonDemoted:
		return true
	default:
		return false
	}
}

// tellLeader tells who leads.
func (s *session) tellLeader(leader election.LeaderRecord) {
	if !s.moved { // else the change of state says it
		s.log().Info("leader changed",
			"leader", election.SafeText(leader.ID), "term", leader.Term, "ballot", leader.Ballot)
	}
	view := s.machine.View()
	whole := withMetadata(&view, leader)
	s.elector.hub.tell(whole)
	s.notify.leadershipChange(whole)
	if !leader.Vacant() && leader.Accepted && leader.Token() != s.greeted {
		s.greeted = leader.Token()
		s.notify.newLeader(whole)
	}
}

func (s *session) tellConfig(config fdbelection.Config) {
	s.log().Info("config", "revision", config.Revision,
		"lease", config.LeaseDuration.String(), "heartbeat", config.HeartbeatInterval.String(),
		"timeout", config.CandidateTimeout.String(), "enabled", config.ElectionEnabled, "expiry", config.Expiry.String())
	s.compareConfig(config)
}

// compareConfig warns, once per stored revision, of a stored config that is not the
// one that this elector was given, or would have made the election with. The caller
// holds s.mu.
func (s *session) compareConfig(stored fdbelection.Config) {
	e := s.elector
	makes := s.mode != subscribing && !e.options.MustExist
	if stored == e.compared || !makes && !e.configGiven {
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
	if weaker := weaknesses(stored, e.options.Config); len(weaker) > 0 {
		fields = append(fields, "weaker", strings.Join(weaker, "; "))
	}
	fields = append(fields, "hint", `the stored config counts for every process; change it with "fdbelect config set"`)
	s.log().Warn("stored config differs from the config of this process", fields...)
}

// weaknesses returns what a stored config does not protect from although the given
// one would.
func weaknesses(stored, given fdbelection.Config) (texts []string) {
	if stored.Expiry == fdbelection.ExpiryByClock && given.Expiry == fdbelection.ExpiryByObservation {
		texts = append(texts, "expiry by clock relies on the clocks of other hosts: if they disagree, two processes may lead at once")
	}
	if stored.AllowPreemption && stored.PreemptionGrace == 0 && given.PreemptionGrace > 0 {
		texts = append(texts, "without a preemption grace a higher priority takes over from a leader before its work has stopped")
	}
	return texts
}

// tellAwait says what this process waits for before it registers.
func (s *session) tellAwait(a machine.IDInUse) {
	s.log().Info("another process is registered under this id, waiting to see whether it is alive",
		"incumbent", a.Existing.Identity.String(), "at_most", a.Until.Sub(s.clock.Now()).String())
}

// tellHoldOff says for how long failed work keeps this process from leading.
func (s *session) tellHoldOff(h machine.HoldOff) {
	s.log().Warn("holding off after failed work", "failures", h.Failures, "duration", h.For.String())
}

// tellStoreError reports what goes wrong, and that it does not any more. Failures of
// watches are logged by logWatch.
func (s *session) tellStoreError(r machine.Report) {
	if r.Err == nil || r.Err.Error() == s.machine.View().StoreError { // else it is not about the seat
		s.storeError = r.Err
	}
	s.notify.storeError(r.Err)
	switch {
	case r.Err == nil:
		s.log().Info("store available again")
		return
	case !r.Kind.Watches():
		s.log().Warn("store error", "error", lineError{r.Err})
	}
	s.elector.report(r.Err)
}

// logOperation is for those who want to see every heartbeat.
func (s *session) logOperation(op machine.Operation, event machine.Event) {
	if !s.log().Enabled(context.Background(), slog.LevelDebug) {
		return
	}
	var err error
	switch e := event.(type) {
	case machine.Answered:
		err = e.Answer.Err
	case machine.WatchEnded:
		err = e.Err
	}
	fields := []any{"kind", op.Kind.String(), "op", op.ID}
	if err != nil {
		fields = append(fields, "error", lineError{err})
	}
	s.log().Debug("operation", fields...)
}
