package machine

import (
	"time"

	"github.com/fdbelection/fdbelection/election"
)

// existingCandidate is another incarnation that was found registered under this id. Until it
// is seen to be dead the machine waits, and registers nothing. If it moves, the
// operation that sees it says so (ErrDuplicateID), and the machine stops.
type existingCandidate struct {
	found *election.ExistingCandidate // as seen last; nil: none stands in the way
	since time.Time                   // when its record was first seen so, on the local clock
	probe time.Time                   // when it is looked at again
}

// waitFor takes in that another incarnation stands under this id.
func (m *Machine) waitFor(a *Answer) {
	m.succeeded()
	m.adopt(a)
	m.sawLeader(a)
	i := &m.existing
	first := i.found == nil
	if first {
		i.since = a.Seen
	}
	i.found = a.Existing
	i.probe = m.now.Local.Add(m.config.HeartbeatInterval)
	if first {
		m.do(IDInUse{Existing: a.Existing.Candidate, Until: m.takeOverAt()})
	}
}

// takeOverAt is when the incumbent counts as dead unless it moves before: it has stood
// still for the candidate timeout, or, if it holds the seat, for its lease. Both are
// counted from the first read, on the local clock.
func (m *Machine) takeOverAt() time.Time {
	i := &m.existing
	at := i.since.Add(m.config.CandidateTimeout)
	if leader := &m.leader.leader; m.leader.looked && leader.HeldBy(i.found.Candidate.Identity) {
		at = earliest(at, m.leader.seen.LeaseEnd(*leader))
	}
	return at
}

// planTakeOver plans the next look at an incumbent: once per heartbeat, and at the
// instant from which it counts as dead. It reports whether that is later.
func (m *Machine) planTakeOver(op *Operation) (later bool) {
	i := &m.existing
	if i.found == nil {
		return false
	}
	at := m.takeOverAt()
	op.Existing, op.TakeOver = i.found, !m.now.Local.Before(at)
	if op.TakeOver || !m.now.Local.Before(i.probe) {
		return false
	}
	m.at(earliest(i.probe, at))
	return true
}
