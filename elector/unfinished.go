package elector

import (
	"fmt"

	"github.com/fdbelection/fdbelection/internal/clock"
)

// UnfinishedWorkError reports work that may still run although the lease of its tenure has
// ended: work of Run that has not returned, or a Leadership of Campaign that was not
// resigned. It is reported once per tenure.
type UnfinishedWorkError struct {
	// Term is the term of the tenure.
	Term uint64
	// Problem says what has not ended and what to do about it.
	Problem string
}

// Error returns the problem.
func (e *UnfinishedWorkError) Error() string { return e.Problem }

// leaseEnded ends the use of the lease of the present tenure. The caller holds s.mu.
//
// A Leadership of Campaign is finished then, so that the next campaign does not wait for
// a caller that never resigns. Work of Run is waited for, because Run never runs two works
// at once.
func (s *session) leaseEnded(l *Leadership) {
	l.end(l.loss(ReasonUnrenewed, nil))
	switch {
	case l.finished:
	case s.mode == campaigning:
		s.unresigned = l
		s.workEnded(l, nil)
	case l.ofRun:
		now := s.clock.Now()
		l.unfinished.Store(&now)
		l.overdue = s.clock.AfterFunc(max(s.elector.options.DrainLimit, clock.MinDelay), l.reportOverdue)
	}
}

// reportOverdue reports work of Run that has not returned in time.
func (l *Leadership) reportOverdue() {
	s := l.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if !l.finished {
		s.reportUnfinished(stillRuns(l.Term()))
	}
}

func stillRuns(term uint64) *UnfinishedWorkError {
	return &UnfinishedWorkError{Term: term, Problem: fmt.Sprintf("the work of term %d has not returned although its lease has ended: "+
		"this process cannot lead again before the work returns", term)}
}

// reportUnresigned reports, once, that the last tenure was not resigned although a new
// campaign has begun. The caller holds s.mu.
func (s *session) reportUnresigned() {
	if l := s.unresigned; l != nil && !l.reported {
		l.reported = true
		s.reportUnfinished(unresigned(l))
	}
}

func unresigned(l *Leadership) *UnfinishedWorkError {
	return &UnfinishedWorkError{Term: l.Term(), Problem: fmt.Sprintf(
		"leadership of term %d has ended and was not resigned, so its work may still run: call Resign when the work has ended", l.Term())}
}
