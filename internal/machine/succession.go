package machine

import (
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/election"
)

// Succession is how a process that leaves hands over instead of resigning. Its fields do not
// change, so that a retry does the same. The zero value resigns.
type Succession struct {
	// To is the id of the successor. If it ends with *, the successor is the newest
	// candidate whose id begins with the text before that.
	To string
	// Nonce names the tenure of the successor.
	Nonce uuid.UUID
}

// setSuccession names the successor of a process that is about to leave. Only the first one
// counts. A process without a tenure has nothing to hand over, and one that unregisters
// already resigns with that.
func (m *Machine) setSuccession(s Succession) {
	if m.life.succession.To == "" && m.tenure.exists() && m.life.leaveBy.IsZero() {
		m.life.succession, m.life.toRelease = s, m.tenure.token
	}
}

// planUnregister unregisters. That hands over to the successor, or resigns if there is none.
// Candidates whose heartbeats have timed out do not succeed.
func (m *Machine) planUnregister() {
	op := Operation{
		Kind: Unregister, Limit: m.limitUntil(m.life.leaveBy), Succession: m.life.succession, Token: m.life.toRelease,
	}
	for i := range m.candidates.members {
		if c := &m.candidates.members[i]; op.Succession.To != "" && m.timedOut(c) {
			op.Members = append(op.Members, c.Candidate)
		}
	}
	m.begin(&m.operations.main, op)
}

// HandOverError says that a process which left has resigned instead of handing over.
type HandOverError struct {
	// To is the successor as it was named.
	To string
	// Err is why it was not handed leadership.
	Err error
}

// Error names the successor and the problem.
func (e *HandOverError) Error() string {
	return fmt.Sprintf("could not hand over to %s: %v", election.SafeText(e.To), e.Err)
}

// Unwrap returns Err.
func (e *HandOverError) Unwrap() error { return e.Err }

// result is the error with which the machine ends.
func (l *lifecycle) result() error {
	if l.refused == nil {
		return l.err
	}
	return errors.Join(l.err, &HandOverError{To: l.succession.To, Err: l.refused})
}
