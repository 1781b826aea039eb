package elector

import (
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
)

// begin hands a tenure to whoever works on it. The session is locked.
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
		s.tenures <- l // it has room: the last one has returned
	case campaigning:
		if len(s.campaigns) == 0 {
			s.take(machine.WorkReturning{Term: l.Term()}) // handed over to one that did not ask
			l.done(s)
			return
		}
		s.reportUnresigned()
		s.campaigns[0].won <- l
		s.campaigns = s.campaigns[1:]
	case subscribing, background: // its callbacks are its work
	}
}

// drain ends the context of a tenure. Its work has returned when all that it
// consists of has: what runs it, and the callbacks that tell of the loss.
func (s *session) drain(term uint64, reason Reason, err error) {
	l := s.lead
	if l == nil || l.Term() != term {
		return
	}
	l.drained = true
	l.ctx.end(l.loss(reason, err))
	if s.notify.active() {
		l.pending++ // until the callbacks have told of it
		s.lost = l
	}
	if s.mode == background || s.mode == subscribing {
		l.done(s)
	}
}

// end says that the work has returned. Only the first call counts.
func (l *Leadership) end(err error) {
	s := l.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.unresigned == l {
		s.unresigned = nil
	}
	s.workEnded(l, err)
}

// workEnded does not wait for the work of a tenure any longer. Only the first call
// counts. The caller holds s.mu.
func (s *session) workEnded(l *Leadership, err error) {
	if l.finished {
		return
	}
	l.finished = true
	if l.overdue != nil {
		l.overdue.Stop()
	}
	if !l.drained {
		s.take(machine.WorkReturning{Term: l.Term(), Err: err})
	}
	if s.mode == campaigning && len(s.campaigns) == 0 { // before the seat could be claimed again
		s.take(machine.AimChanged{Aim: machine.StandBy})
	}
	l.done(s)
}

// done counts one of what Returned waits for. The session is locked.
func (l *Leadership) done(s *session) {
	if l.pending--; l.pending > 0 || s.lead != l {
		return
	}
	s.lead = nil
	s.elector.publish(s)
	l.over(l.loss(ReasonWorkReturned, nil))
	s.waiting = append(s.waiting, l)
	s.take(machine.WorkReturned{Term: l.Term()})
}
