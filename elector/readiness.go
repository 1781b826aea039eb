package elector

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/internal/machine"
)

// checkReadiness calls Options.Ready until the session ends. It tells the machine each
// result.
func (s *session) checkReadiness() {
	defer s.group.Done()
	o := &s.elector.options
	check := readinessCheck{ready: o.Ready, limit: o.ReadyLimit, clock: s.clock}
	for known := machine.NotChecked; s.ctx.Err() == nil; {
		err := check.run(s.ctx)
		if s.ctx.Err() != nil {
			return
		}
		if reason := notReady(err); reason != known {
			s.reportReadiness(known, reason, err)
			s.post(machine.ReadinessChanged{NotReady: reason})
			known = reason
		}
		_ = clock.Sleep(s.ctx, s.clock, o.ReadyInterval)
	}
}

// reportReadiness reports that the process has become ready or is not ready any more, and a
// panic of the check.
func (s *session) reportReadiness(before, now string, err error) {
	switch {
	case now == "":
		s.log().Info("ready")
	case before == "" || before == machine.NotChecked:
		s.log().Warn("not ready", "reason", election.SafeText(now))
	}
	if panicked, ok := errors.AsType[*PanicError](err); ok {
		s.log().Warn("readiness check failed", "error", lineError{err}, "stack", strings.Split(strings.TrimSpace(string(panicked.Stack)), "\n"))
		s.elector.report(err)
	}
}

// readinessCheck runs one call of Options.Ready at a time.
type readinessCheck struct {
	ready func(context.Context) error
	limit time.Duration
	clock Clock
	late  <-chan checked // of a call that has not returned within its limit; nil: there is none
}

// checked is what one call has returned.
type checked struct{ err error }

// run returns what Options.Ready returns. If a call takes longer than its limit, the result
// is an error. It is not called again before that call has returned.
func (c *readinessCheck) run(ctx context.Context) error {
	if c.late != nil {
		select {
		case <-c.late: // what it has returned is too old to count
			c.late = nil
		default:
			return c.timedOut()
		}
	}
	limited, stop := clock.WithTimeout(ctx, c.clock, c.limit)
	defer stop()
	result := make(chan checked, 1)
	go func() {
		var err error
		if panicked := guarded(limited, func(ctx context.Context) { err = c.ready(ctx) }); panicked != nil {
			err = fmt.Errorf("the readiness check has panicked: %w", panicked)
		}
		result <- checked{err}
	}()
	select {
	case r := <-result:
		return r.err
	case <-limited.Done():
		c.late = result
		return c.timedOut()
	}
}

func (c *readinessCheck) timedOut() error {
	return fmt.Errorf("the readiness check did not return within %s", c.limit)
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
	for len(text) > election.MaxReasonBytes {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}
