package elector

import (
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
)

// begin starts the work of a tenure. The caller holds s.mu.
func (s *session) begin(leader election.LeaderRecord) {
	values := s.values
	if len(s.campaigns) > 0 {
		values = s.campaigns[0].values
	}
	l := s.newLeadership(values, leader)
	s.lead = l
	s.updateDeadlines()
	s.elector.publish(s)
	switch s.mode {
	case working:
		s.tenures <- l // does not block: the work of the last tenure has returned
	case campaigning:
		if len(s.campaigns) == 0 {
			s.handle(machine.WorkReturning{Term: l.Term()}) // handed over to a process that does not campaign
			l.done(s)
			return
		}
		s.reportUnresigned()
		s.campaigns[0].won <- l
		s.campaigns = s.campaigns[1:]
	case subscribing, background: // the callbacks are the work
	}
}

// drain ends the context of a tenure. The caller holds s.mu.
func (s *session) drain(d machine.Drain) {
	l := s.lead
	if l == nil || l.Term() != d.Term {
		return
	}
	s.spans.drained(d)
	l.drained = true
	l.ctx.End(l.loss(Reason(d.Reason), d.Err))
	if s.notify.active() {
		l.pending++ // until the callbacks have reported the loss
		s.lost = l
	}
	if s.mode == background || s.mode == subscribing {
		l.done(s)
	}
}

// workReturned ends the work of a tenure. Calls after the first have no effect.
func (l *Leadership) workReturned(err error) {
	s := l.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unresigned == l {
		s.unresigned = nil
	}
	s.workEnded(l, err)
}

// workEnded is workReturned with s.mu held.
func (s *session) workEnded(l *Leadership, err error) {
	if l.finished {
		return
	}
	l.finished = true
	l.unfinished.Store(nil)
	if l.overdue != nil {
		l.overdue.Stop()
	}
	if !l.drained {
		s.handle(machine.WorkReturning{Term: l.Term(), Err: err})
	}
	if s.mode == campaigning && len(s.campaigns) == 0 { // before this process can claim again
		s.handle(machine.AimChanged{Aim: machine.StandBy})
	}
	l.done(s)
}

// done reports that the work or the callbacks of the loss have returned. When both have,
// the tenure is over. The caller holds s.mu.
func (l *Leadership) done(s *session) {
	if l.pending--; l.pending > 0 || s.lead != l {
		return
	}
	s.lead = nil
	s.spans.workReturned()
	s.elector.publish(s)
	l.end(l.loss(ReasonWorkReturned, nil))
	s.unreleased = append(s.unreleased, l)
	s.handle(machine.WorkReturned{Term: l.Term()})
}
