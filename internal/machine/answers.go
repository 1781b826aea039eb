package machine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// answered takes in the answer of an operation. One that nothing waits for any
// more is dropped.
func (m *Machine) answered(op uint64, a *Answer) {
	switch op {
	case 0:
	case m.main.op:
		done := m.main
		m.main = runningOperation{}
		if a.Err == nil {
			m.latency, m.stretch = max(m.now.Local.Sub(done.began), m.latency*3/4), 0
		} else if errors.Is(a.Err, context.DeadlineExceeded) {
			m.stretch = 2 * m.patience()
		}
		if done.aborted && a.Err != nil {
			m.abandoned(&done.what, a)
			return
		}
		m.notice(a)
		m.answeredMain(&done.what, a)
	case m.chore.op:
		what := m.chore.what
		m.chore = runningOperation{}
		m.notice(a)
		if what.Kind == Evict {
			m.evicted(a)
		} else {
			m.listed(&what, a)
		}
	case m.term.op:
		m.answeredWatch(&m.term, a)
	case m.intents.op:
		m.answeredWatch(&m.intents, a)
	}
}

// notice takes in that the election is not there any more.
func (m *Machine) notice(a *Answer) {
	if errors.Is(a.Err, fdbelection.ErrNotInitialized) {
		m.electionGone(a)
	}
}

// abandoned takes in the answer of an operation that leaving has ended.
func (m *Machine) abandoned(op *Operation, a *Answer) {
	if op.Kind == Register || op.Kind == Rejoin {
		m.present = m.present || a.MayHaveWritten
	}
}

func (m *Machine) answeredMain(op *Operation, a *Answer) {
	switch op.Kind {
	case Register, Rejoin:
		m.answeredRegistration(op, a)
	case ReadLeader, Settle:
		m.answeredLook(op, a)
	case Heartbeat:
		m.answeredBeat(op, a)
	case ElectionCycle:
		m.answeredCycle(op, a)
	case Resign, HandOver:
		m.handedOver(op.Kind, a)
	case Unregister:
		m.answeredLeaving(a)
	case List, Evict, WatchTerm, WatchRequest: // not in this slot
	}
}

func (m *Machine) answeredRegistration(op *Operation, a *Answer) {
	if a.Existing != nil {
		m.waitFor(a)
		return
	}
	m.present = m.present || a.Err == nil || a.MayHaveWritten
	if a.Err != nil {
		m.failed(op.Kind, a.Err)
		return
	}
	m.succeeded()
	m.adopt(a)
	m.registered, m.joined, m.readNow = true, true, true
	m.registeredAt = m.now.Local
	m.existing = existingCandidate{}
	m.wrote(&op.Me)
	m.candidates.due = m.now.Local
}

// wrote takes in that the candidate record was written, and what with.
func (m *Machine) wrote(me *election.Registration) {
	m.heartbeatAt = m.now.Local.Add(m.config.CandidateTimeout / 3)
	if me.Priority != m.me.Priority || me.Role != m.me.Role || !maps.Equal(me.Metadata, m.me.Metadata) {
		m.heartbeatAt = m.now.Local // it has changed meanwhile
	}
}

func (m *Machine) answeredLook(op *Operation, a *Answer) {
	if a.Err != nil {
		m.failed(op.Kind, a.Err)
		return
	}
	m.succeeded()
	if op.Kind == Settle {
		m.unsettled = false
	}
	m.sawState(op, a)
}

// answeredBeat takes in the answer to a heartbeat, or to a cycle, which holds
// one; it reports whether it was written.
func (m *Machine) answeredBeat(op *Operation, a *Answer) bool {
	err := a.Err
	if errors.Is(err, fdbelection.ErrUnregisteredCandidate) {
		m.registered, err = false, nil // evicted: register again, or while there is a tenure after it
		m.renewAt = m.now.Local.Add(m.config.HeartbeatInterval)
		m.readNow = m.readNow || m.holds() // a leader by its record would have been registered again
	}
	if err != nil {
		m.failed(op.Kind, err)
		return false
	}
	m.succeeded()
	m.wrote(&op.Me)
	return a.Err == nil
}

// A leader obeys a challenge once it has seen it move, so a challenger repeats a new
// one a few times in quick succession, each after the leader's watch had time to tell
// of the last.
const (
	quickBeats = 2
	quickBeat  = 20 * time.Millisecond
)

func (m *Machine) answeredCycle(op *Operation, a *Answer) {
	m.unsettled = m.unsettled || a.MayHaveWritten
	if errors.Is(a.Err, ErrLeadershipLost) {
		m.succeeded()
		m.adopt(a)
		m.sawLeader(a)
		m.renewAt = m.now.Local.Add(step(m.config.HeartbeatInterval)) // where that was outdated
		return
	}
	if !m.answeredBeat(op, a) {
		return
	}
	renewNow := m.renewNow
	m.adopt(a)
	m.renewNow = renewNow // it went by this config already
	if a.Action == election.Renewed || a.Action == election.Claimed {
		m.unsettled = false // this commit has read and written the leader record
	}
	led := op.Token.Term != 0
	if !led && (a.Action == election.Claimed || a.Action == election.Renewed) && !m.outdated(a) {
		m.lead(a)
	}
	m.sawLeader(a)
	m.sawIntent(a)
	m.renewAt = a.Start.Add(m.config.HeartbeatInterval)
	if count := a.Status.Request.Counter; a.Action == election.RequestedPreemption && count > 0 && count <= quickBeats {
		m.renewAt = a.Start.Add(min(step(m.config.HeartbeatInterval), max(quickBeat, 4*m.latency)))
		m.claimAt = earliest(m.claimAt, m.renewAt)
	}
	if led && m.tenure.token == op.Token { // its work has not returned meanwhile
		m.drainIfRequested(a)
	}
}

func (m *Machine) answeredLeaving(a *Answer) {
	switch {
	case a.Err == nil:
		m.phase = gone
		if a.Status.Leader.Ballot > 0 { // else it could not be read
			m.sawLeader(a)
		}
		return
	case !m.permanent(a.Err):
		m.failed(Unregister, a.Err)
		if m.retryAt.Before(m.leaveBy) {
			return
		}
	}
	m.phase = gone
	m.result = errors.Join(m.result, &LeaveError{Err: a.Err})
}

// LeaveError says that the candidate could not be unregistered: its record
// stays until it is evicted, and its seat is free once the lease is over.
type LeaveError struct {
	Err error
}

// Error says what stays behind, and why.
func (e *LeaveError) Error() string {
	return "left without being able to say so (a seat it held is free after its lease): " + e.Err.Error()
}

// Unwrap returns what the last try failed with.
func (e *LeaveError) Unwrap() error { return e.Err }

func (m *Machine) permanent(err error) bool {
	return m.settings.Permanent != nil && m.settings.Permanent(err)
}

// isFatal reports an error that no retry of this process can mend.
func (m *Machine) isFatal(err error) bool {
	return errors.Is(err, fdbelection.ErrDuplicateID) || errors.Is(err, fdbelection.ErrInvalidCandidate) ||
		errors.Is(err, fdbelection.ErrInvalidConfig) || errors.Is(err, fdbelection.ErrSharedKeys) || m.permanent(err)
}

// failed takes in the error of an operation: it reports it once per change and
// sets the back-off, or leaves where no retry can help.
func (m *Machine) failed(kind Kind, err error) {
	if m.isFatal(err) && !m.leaving() {
		m.leave(failure(kind, err))
		return
	}
	m.readNow, m.claimAt = true, time.Time{}
	if err = failure(kind, err); err.Error() != m.storeError {
		m.storeError = err.Error()
		m.do(Report{Err: err})
	}
	m.backoff = min(max(2*m.backoff, shortestBackoff), longestBackoff, max(2*step(m.config.HeartbeatInterval), shortestBackoff))
	m.retryAt = m.now.Local.Add(m.backoff/2 + time.Duration(m.chance(m.nextOp)*float64(m.backoff/2)))
}

// succeeded takes in that the store answers.
func (m *Machine) succeeded() {
	m.backoff, m.retryAt = 0, time.Time{}
	if m.storeError != "" {
		m.storeError = ""
		m.do(Report{})
	}
}

// reportFailure reports the failure of what is not about the seat, once per change of
// each kind: several of them fail in turn.
func (m *Machine) reportFailure(kind Kind, err error) {
	if err = failure(kind, err); err.Error() != m.reportedErrors[kind] && !m.leaving() {
		m.reportedErrors[kind] = err.Error()
		m.do(Report{Kind: kind, Err: err})
	}
}

// passedOver reports the records that could not be read and were passed over, once
// per change.
func (m *Machine) passedOver(err error) {
	if err == nil {
		m.unreadable = ""
		return
	}
	if err.Error() != m.unreadable && !m.leaving() {
		m.unreadable = err.Error()
		m.do(Report{Err: err})
	}
}

// failure names what has failed.
func failure(kind Kind, err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return &lateError{kind, err}
	}
	return fmt.Errorf("%s: %w", kind, err)
}

// lateError says that an operation has had its time. It leaves out where in the
// store that was: each try may get stuck somewhere else, and that is no change.
type lateError struct {
	kind Kind
	err  error
}

func (e *lateError) Error() string { return e.kind.String() + ": the store did not answer in time" }
func (e *lateError) Unwrap() error { return e.err }
