package elector

import (
	"fmt"
	"strings"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/internal/loop"
	"github.com/fdbelection/fdbelection/internal/machine"
)

// startReadiness begins to check the readiness, unless the session is over already.
func (s *session) startReadiness() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.elector.options.Ready != nil && !s.over {
		s.group.Add(1)
		go s.checkReadiness()
	}
}

// checkReadiness calls Options.Ready until the session ends. It tells the machine each
// result.
func (s *session) checkReadiness() {
	defer s.group.Done()
	o := &s.elector.options
	for known := machine.NotChecked; s.ctx.Err() == nil; {
		result := loop.RunReadiness(s.ctx, &s.elector.readiness, s.clock, o.ReadyLimit, o.Ready)
		if s.ctx.Err() != nil {
			return
		}
		if result.Reason != known {
			s.reportReadiness(known, result)
			s.post(machine.ReadinessChanged{NotReady: result.Reason})
			known = result.Reason
		}
		_ = clock.Sleep(s.ctx, s.clock, o.ReadyInterval)
	}
}

// reportReadiness reports that the process has become ready or is not ready any more, and a
// panic of the check.
func (s *session) reportReadiness(before string, now loop.Readiness) {
	switch {
	case now.Reason == "":
		s.log().Info("ready")
	case before == "" || before == machine.NotChecked:
		s.log().Warn("not ready", "reason", election.SafeText(now.Reason))
	}
	if err := now.Panicked; err != nil {
		s.log().Warn("readiness check failed", "error", loop.LineError{Err: err}, "stack", strings.Split(strings.TrimSpace(string(err.Stack)), "\n"))
		s.elector.report(fmt.Errorf("the readiness check has panicked: %w", err))
	}
}
