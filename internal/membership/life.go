package membership

import (
	"errors"
	"time"

	"github.com/fdbelection/fdbelection/election"
)

// lifecycle is how far the machine is from start to stop.
type lifecycle struct {
	phase phase
	err   error // why it stops by itself, or why it could not leave
	// leaveBy ends the attempts to leave.
	leaveBy time.Time
}

// phase is one part of the life of a machine. It only moves forward.
type phase int

const (
	notStarted phase = iota
	running
	leaving // drains, hands over and leaves
	stopped
)

func (l *lifecycle) leaving() bool { return l.phase == leaving || l.phase == stopped }

// leave drains all work and leaves. err is nil, or why the machine stops by itself. Only the
// first call counts.
func (m *Machine) leave(err error) {
	if m.life.leaving() {
		return
	}
	m.life.phase, m.life.err = leaving, err
	m.life.leaveBy = m.now.Local.Add(m.settings.Drain + m.settings.Leave)
	m.plan.dirty = true
	m.plan.nextAt = time.Time{}
	if m.observer() {
		m.life.phase = stopped
		return
	}
	if !m.session.live {
		m.cancel(&m.slots.session) // an attempt to join
	}
}

// planLeaving ends every session of this process that may be stored.
func (m *Machine) planLeaving() {
	s := &m.session
	sessions := make([]election.Identity, 0, len(s.own))
	for _, incarnation := range s.own {
		sessions = append(sessions, election.Identity{ID: m.settings.ID, Incarnation: incarnation})
	}
	if len(sessions) == 0 {
		m.life.phase = stopped
		return
	}
	if m.may(LeaveGroup) {
		m.begin(&m.slots.session, Operation{Kind: LeaveGroup, Sessions: sessions})
	}
}

// leaveInTime stops a process that could not release its shards and leave in time.
func (m *Machine) leaveInTime() {
	if m.life.phase != leaving {
		return
	}
	if m.now.Local.Before(m.life.leaveBy) {
		m.wakeAt(m.life.leaveBy)
		return
	}
	m.life.err = errors.Join(m.life.err, &LeaveError{errLate})
	m.life.phase = stopped
}

// errLate says why a process could not leave.
var errLate = errors.New("the store did not answer in time")

func (m *Machine) answeredLeave(a *Answer) {
	switch {
	case a.Err == nil:
	case m.now.Local.Before(m.life.leaveBy) && !m.isFatal(a.Err):
		m.delay(LeaveGroup)
		return
	default:
		m.life.err = errors.Join(m.life.err, &LeaveError{a.Err})
	}
	m.life.phase = stopped
}

// finish cancels what is still running and ends the machine.
func (m *Machine) finish() {
	s := &m.slots
	for _, r := range []*slot{&s.session, &s.sync, &s.watch, &s.look, &s.give, &s.take} {
		m.cancel(r)
	}
	m.session.live, m.session.stage = false, over
	m.loseAll()
	m.do(Finish{Err: m.life.err})
}
