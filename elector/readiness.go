package elector

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
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
		result := s.elector.readiness.run(s.ctx, o)
		if s.ctx.Err() != nil {
			return
		}
		if result.reason != known {
			s.reportReadiness(known, result)
			s.post(machine.ReadinessChanged{NotReady: result.reason})
			known = result.reason
		}
		_ = clock.Sleep(s.ctx, s.clock, o.ReadyInterval)
	}
}

// reportReadiness reports that the process has become ready or is not ready any more, and a
// panic of the check.
func (s *session) reportReadiness(before string, now readiness) {
	switch {
	case now.reason == "":
		s.log().Info("ready")
	case before == "" || before == machine.NotChecked:
		s.log().Warn("not ready", "reason", election.SafeText(now.reason))
	}
	if err := now.panicked; err != nil {
		s.log().Warn("readiness check failed", "error", lineError{err}, "stack", strings.Split(strings.TrimSpace(string(err.Stack)), "\n"))
		s.elector.report(fmt.Errorf("the readiness check has panicked: %w", err))
	}
}

// readiness is the result of a check: why the process is not ready, or empty.
type readiness struct {
	reason   string
	panicked *PanicError // of the check, or of the text of its error
}

// readinessCheck runs one call of Options.Ready at a time. It belongs to the elector because
// a late call may outlast its session.
type readinessCheck struct {
	mu   sync.Mutex       // held by the session that waits for a call
	late <-chan readiness // of a call that has not returned within its limit; nil: there is none
}

// run returns the result of one call of Options.Ready. If a call takes longer than its limit
// or than ctx, the process is not ready. It is not called again before that call has
// returned.
func (c *readinessCheck) run(ctx context.Context, o *Options) readiness {
	c.mu.Lock()
	defer c.mu.Unlock()
	late := readiness{reason: fmt.Sprintf("the readiness check did not return within %s", o.ReadyLimit)}
	if c.late != nil {
		select {
		case <-c.late:
			c.late = nil
		default:
			return late
		}
	}
	limited, stop := clock.WithTimeout(ctx, o.Clock, o.ReadyLimit)
	defer stop()
	result := make(chan readiness, 1)
	go func() {
		r := readiness{reason: "the readiness check has ended its goroutine"}
		defer func() { result <- r }()
		if err := guarded(limited, func(ctx context.Context) { r.reason = notReady(o.Ready(ctx)) }); err != nil {
			r.panicked, _ = errors.AsType[*PanicError](err)
			r.reason = notReady(fmt.Errorf("the readiness check has panicked: %w", err))
		}
	}()
	select {
	case r := <-result:
		return r
	case <-limited.Done():
		c.late = result
		return late
	}
}

// notReady returns the reason for a candidate record: empty if err is nil, and otherwise its
// text, on one line and short enough.
func notReady(err error) string {
	if err == nil {
		return ""
	}
	text := lineError{err}.Error()
	if text == "" {
		return "no reason is given"
	}
	if len(text) > election.MaxReasonBytes {
		text = strings.ToValidUTF8(text[:election.MaxReasonBytes], "") // without half a character
	}
	return text
}
