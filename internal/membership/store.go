package membership

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/balance"
)

// The bounds of the back-off after a store error.
const (
	shortestBackoff = 10 * time.Millisecond
	longestBackoff  = time.Second
)

// storeHealth is how the store answers, by kind of operation: the errors as they were reported,
// and the back-off after them.
type storeHealth struct {
	reported   [Trim + 1]string
	backoff    [Trim + 1]time.Duration
	retryAt    [Trim + 1]time.Time
	unreadable string
}

// operationLimit is how long one operation may take.
func (m *Machine) operationLimit() time.Duration {
	return min(max(m.config.HeartbeatInterval, time.Second), m.config.LeaseDuration)
}

// step is the shortest time between two attempts of most things.
func (m *Machine) step() time.Duration { return max(m.config.HeartbeatInterval/64, time.Millisecond) }

// may reports whether an operation of a kind may begin, as far as the back-off is concerned.
func (m *Machine) may(kind Kind) bool {
	at := m.store.retryAt[kind]
	if m.now.Local.Before(at) {
		m.wakeAt(at)
		return false
	}
	return true
}

// failed handles the error of an operation: it is reported when its text changes, and it
// delays the next operation of the kind.
func (m *Machine) failed(op *Operation, err error) {
	if errors.Is(err, group.ErrSessionEnded) {
		m.sessionEnded(err, op.Me)
		return
	}
	if m.isFatal(err) {
		m.leave(fmt.Errorf("%s: %w", op.Kind, err))
		return
	}
	m.delay(op.Kind)
	m.report(op.Kind, err)
}

// delay delays the next operation of a kind, for longer after each failure in a row.
func (m *Machine) delay(kind Kind) {
	s := &m.store
	s.backoff[kind] = min(max(2*s.backoff[kind], shortestBackoff), longestBackoff, max(m.config.HeartbeatInterval/5, shortestBackoff))
	part := balance.Rank(fmt.Sprint(m.settings.ID, m.slots.lastID)) % 1024 // processes do not retry at the same instants
	s.retryAt[kind] = m.now.Local.Add(s.backoff[kind]/2 + s.backoff[kind]*time.Duration(part)/2048)
}

func (m *Machine) report(kind Kind, err error) {
	text := err.Error()
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("the store did not answer in time: %w", err)
		text = context.DeadlineExceeded.Error() // the rest may differ in each attempt
	}
	if text != m.store.reported[kind] && !m.life.leaving() {
		m.store.reported[kind] = text
		m.do(Report{Err: fmt.Errorf("%s: %w", kind, err)})
	}
}

// operationSucceeded ends the back-off of a kind, and reports that the store is available
// again.
func (m *Machine) operationSucceeded(kind Kind) {
	s := &m.store
	s.backoff[kind], s.retryAt[kind] = 0, time.Time{}
	if s.reported[kind] == "" {
		return
	}
	s.reported[kind] = ""
	for _, text := range s.reported {
		if text != "" {
			return
		}
	}
	m.do(Report{})
}

// reportUnreadable reports the records that cannot be read, when they change.
func (m *Machine) reportUnreadable() {
	err := m.mirror.Unreadable()
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != m.store.unreadable && !m.life.leaving() {
		m.store.unreadable = text
		m.do(Report{Err: err, Unreadable: true})
	}
}

// isFatal reports whether no retry of this process can fix an error.
func (m *Machine) isFatal(err error) bool {
	return errors.Is(err, fdbelection.ErrInvalidCandidate) || errors.Is(err, group.ErrInvalidName) ||
		m.settings.Permanent != nil && m.settings.Permanent(err)
}
