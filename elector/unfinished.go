package elector

import (
	"fmt"

	"github.com/fdbelection/fdbelection/internal/clock"
)

// UnfinishedWorkError reports work that has not ended although its tenure has: work of
// Run that goes on after its lease, or a Leadership of Campaign that was not
// resigned. It is reported once per tenure.
type UnfinishedWorkError struct {
	// Term is the tenure of the work.
	Term uint64
	// Problem says what has not ended and what to do about it.
	Problem string
}

// Error returns the problem.
func (e *UnfinishedWorkError) Error() string { return e.Problem }

// leaseOver is called when the lease of the present tenure must not be used any
// more. The caller holds s.mu.
//
// A Leadership of Campaign is over then, so that the next campaign does not wait
// for a caller that never resigns. Work of Run is waited for, as Run never runs
// work twice at a time.
func (s *session) leaseOver(l *Leadership) {
	l.over(l.loss(ReasonUnrenewed, nil))
	switch {
	case l.finished:
	case s.mode == campaigning:
		s.unresigned = l
		s.workEnded(l, nil)
	case l.ofRun:
		l.overdue = s.clock.AfterFunc(max(s.elector.options.DrainLimit, clock.MinDelay), l.stillWorks)
	}
}

// stillWorks reports work of Run that has not returned in its time.
func (l *Leadership) stillWorks() {
	s := l.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if !l.finished {
		s.reportUnfinished(l.Term(), fmt.Sprintf("the work of term %d has not returned although its lease is over: "+
			"this process does not lead again before it returns", l.Term()))
	}
}

// reportUnresigned reports, once, that the last tenure was not resigned although
// another one is campaigned for. The caller holds s.mu.
func (s *session) reportUnresigned() {
	if l := s.unresigned; l != nil && !l.reported {
		l.reported = true
		err := unresigned(l)
		s.reportUnfinished(err.Term, err.Problem)
	}
}

func unresigned(l *Leadership) *UnfinishedWorkError {
	return &UnfinishedWorkError{Term: l.Term(), Problem: fmt.Sprintf(
		"leadership of term %d has ended and was not resigned, so its work may still run: call Resign when the work has ended", l.Term())}
}

func (s *session) reportUnfinished(term uint64, problem string) {
	s.log().Warn("work has not ended with its leadership",
		"term", term, "problem", problem)
	s.elector.report(&UnfinishedWorkError{Term: term, Problem: problem})
}
