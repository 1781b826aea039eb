package machine

import (
	"errors"
	"time"

	"github.com/fdbelection/fdbelection/election"
)

// lifecycle is how far the machine is from start to stop.
type lifecycle struct {
	phase phase
	err   error // why it stops by itself, or why it could not unregister
	// leaveBy ends the attempts to unregister. It is zero until the first one.
	leaveBy time.Time
	// succession is the hand-over with which the process leaves, and toRelease the tenure
	// that it hands over. refused is why it has resigned instead.
	succession Succession
	toRelease  election.Token
	refused    error
}

// phase is one part of the life of a machine. It only moves forward.
type phase int

const (
	notStarted phase = iota
	running
	leaving // drains, resigns or hands over, and unregisters
	stopped
)

// leaving reports whether the machine is leaving or has stopped.
func (l *lifecycle) leaving() bool { return l.phase == leaving || l.phase == stopped }

// leave drains the work and leaves the election. err is nil, or why the machine stops
// by itself. Only the first call counts.
func (m *Machine) leave(err error) {
	if m.life.leaving() {
		return
	}
	m.life.phase, m.life.err = leaving, err
	m.store.retryAt, m.handOver = time.Time{}, handOver{} // Unregister resigns as well
	reason := ReasonStopped
	if err != nil {
		reason = ReasonFailed
	}
	m.drain(reason, m.now.Local.Add(m.settings.Drain))
}

// cancelForRelease cancels the running operation if the process has to unregister or to
// hand over and does not need the answer. Unregister settles every earlier attempt, so it
// need not wait for one. A hand-over does not wait for a heartbeat or a read.
func (m *Machine) cancelForRelease() {
	t, main := &m.tenure, &m.operations.main
	if !main.busy() || main.aborted {
		return
	}
	unregister := m.life.leaving() && m.life.leaveBy.IsZero() &&
		(!t.exists() || t.stage == over && !m.now.Local.Before(t.limit))
	release := m.handOver.pending() && (main.what.Kind == Heartbeat || main.what.Kind == ReadLeader)
	if unregister || release {
		main.aborted = true
		m.do(CancelOperation{Op: main.id})
	}
}

// planLeaving unregisters, which also resigns or hands over. It retries until that has committed or
// the leave limit has passed.
func (m *Machine) planLeaving() {
	if !m.me.mayBeStored {
		m.life.phase = stopped
		return
	}
	if m.life.leaveBy.IsZero() {
		m.life.leaveBy = m.now.Local.Add(m.settings.Leave)
	}
	m.planUnregister()
}

func (m *Machine) answeredUnregister(a *Answer) {
	switch {
	case a.Err == nil:
		m.life.phase, m.life.refused = stopped, a.Refused
		if a.Status.Leader.Ballot > 0 { // zero: it could not be read
			m.sawLeader(a)
		}
		return
	case !m.permanent(a.Err):
		m.operationFailed(Unregister, a.Err)
		if m.store.retryAt.Before(m.life.leaveBy) {
			return
		}
	}
	m.life.phase = stopped
	m.life.err = errors.Join(m.life.err, &LeaveError{Err: a.Err})
}

// LeaveError says that a process stopped without unregistering. Its candidate record
// stays until another process evicts it. If it held leadership, its lease runs out.
type LeaveError struct {
	// Err is the error of the last attempt.
	Err error
}

// Error says what is left behind, and why.
func (e *LeaveError) Error() string {
	return "could not unregister (if this process held leadership, its lease runs out by itself): " + e.Err.Error()
}

// Unwrap returns the error of the last attempt.
func (e *LeaveError) Unwrap() error { return e.Err }

// finish cancels what is still running and ends the machine. The watch of the request
// does not run any more: it is cancelled when the process stops leading.
func (m *Machine) finish() {
	w := &m.watches
	for _, o := range []*runningOperation{&m.operations.listing, &w.term.runningOperation, &w.candidates.runningOperation} {
		if o.busy() && !o.aborted {
			o.aborted = true
			m.do(CancelOperation{Op: o.id})
		}
	}
	m.do(Finish{Err: m.life.result()})
}
