package machine

import (
	"errors"
	"fmt"
	"time"

	"github.com/fdbelection/fdbelection"
)

// The bounds of the back-off after a store error.
const (
	shortestBackoff = 10 * time.Millisecond
	longestBackoff  = time.Second
)

// storeHealth is how the store answers: its errors as they were reported, the back-off
// after them, and how long answers take.
type storeHealth struct {
	retryAt time.Time // the next main operation does not begin before
	backoff time.Duration
	// lastError is the reported error of the main operation, unreadable that of records
	// that could not be read, and failures that of lists, evictions and watches by kind.
	// Each is empty if there is none.
	lastError  string
	unreadable string
	failures   [WatchCandidates + 1]string
	// latency is how long answers have taken lately. extraTime is how long an operation
	// may take after one has timed out.
	latency   time.Duration
	extraTime time.Duration
	// answeredAt is when a main operation succeeded last. unanswered is since when none has.
	// It is zero if none runs and the last one has succeeded.
	answeredAt, unanswered time.Time
}

// answered learns from an answer how long operations take. limit is the present limit of an
// operation.
func (s *storeHealth) answered(err error, took, limit time.Duration) {
	if err == nil {
		s.latency, s.extraTime = max(took, s.latency*3/4), 0
	} else if timedOutError(err) {
		s.extraTime = 2 * limit
	}
}

// operationLimit is how long one operation may take: a heartbeat, longer if the store has
// been slower or an operation has timed out, and at most a lease.
func (m *Machine) operationLimit() time.Duration {
	return min(max(m.config.HeartbeatInterval, 2*m.store.latency, m.store.extraTime), m.config.LeaseDuration)
}

// limitUntil is how long one operation may take of the time until a deadline: the normal
// limit, or half of that time if it is more. So a slow store has enough time, and after
// one lost answer there is time for another attempt.
func (m *Machine) limitUntil(deadline time.Time) time.Duration {
	left := deadline.Sub(m.now.Local)
	return min(max(m.operationLimit(), left/2), left)
}

// operationFailed handles the error of a main operation. A fatal error ends the machine.
// Any other one is reported when its text changes, and delays the retry.
func (m *Machine) operationFailed(kind Kind, err error) {
	if m.isFatal(err) && !m.life.leaving() {
		m.leave(errorOf(kind, err))
		return
	}
	s := &m.store
	m.poll.readNow, m.claim.retryAt = true, time.Time{}
	if err = errorOf(kind, err); err.Error() != s.lastError {
		s.lastError = err.Error()
		m.do(Report{Err: err})
	}
	s.backoff = min(max(2*s.backoff, shortestBackoff), longestBackoff, max(2*pollStep(m.config.HeartbeatInterval), shortestBackoff))
	s.retryAt = m.now.Local.Add(s.backoff/2 + time.Duration(m.chance(m.operations.lastID)*float64(s.backoff/2)))
}

// operationSucceeded ends the back-off and an outage, and reports that the store is available
// again.
func (m *Machine) operationSucceeded() {
	s := &m.store
	m.outageEnded()
	s.answeredAt, s.unanswered = m.now.Local, time.Time{}
	s.backoff, s.retryAt = 0, time.Time{}
	if s.lastError != "" {
		s.lastError = ""
		m.do(Report{})
	}
}

// reportFailure reports the error of a list, an eviction or a watch when the text of its
// kind changes.
func (m *Machine) reportFailure(kind Kind, err error) {
	if err = errorOf(kind, err); err.Error() != m.store.failures[kind] && !m.life.leaving() {
		m.store.failures[kind] = err.Error()
		m.do(Report{Kind: kind, Err: err})
	}
}

// reportUnreadable reports the records that could not be read and were left out, when the
// text changes. err is nil if there are none.
func (m *Machine) reportUnreadable(err error) {
	if err == nil {
		m.store.unreadable = ""
		return
	}
	if err.Error() != m.store.unreadable && !m.life.leaving() {
		m.store.unreadable = err.Error()
		m.do(Report{Err: err})
	}
}

func (m *Machine) permanent(err error) bool {
	return m.settings.Permanent != nil && m.settings.Permanent(err)
}

// isFatal reports whether no retry of this process can fix an error.
func (m *Machine) isFatal(err error) bool {
	return errors.Is(err, fdbelection.ErrDuplicateID) || errors.Is(err, fdbelection.ErrInvalidCandidate) ||
		errors.Is(err, fdbelection.ErrInvalidConfig) || errors.Is(err, fdbelection.ErrSharedKeys) || m.permanent(err)
}

// errorOf adds to an error what failed.
func errorOf(kind Kind, err error) error {
	if timedOutError(err) {
		return &timeoutError{kind, err}
	}
	return fmt.Errorf("%s: %w", kind, err)
}

// timeoutError says that an operation has timed out. Its text does not say where in the
// store: that may differ in each attempt, and is not worth another report.
type timeoutError struct {
	kind Kind
	err  error
}

func (e *timeoutError) Error() string { return e.kind.String() + ": the store did not answer in time" }
func (e *timeoutError) Unwrap() error { return e.err }
