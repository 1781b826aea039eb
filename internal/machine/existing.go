package machine

import (
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// existingCandidate is another incarnation that is registered under the id of this
// process. The machine does not register before that one counts as dead. One change of its
// record does not show that it is alive, because a commit that was in flight when it died
// may arrive later. The operation that sees a second change returns ErrDuplicateID, and the
// machine stops.
type existingCandidate struct {
	found   *election.ExistingCandidate // as it was read last; nil: there is none
	since   time.Time                   // when it was first read like this, on the local clock
	nextAt  time.Time                   // when it is read again
	changed bool                        // since it was first read
}

func (m *Machine) foundExisting(a *Answer) {
	m.operationSucceeded()
	m.adoptConfig(a)
	m.sawLeader(a)
	e := &m.existing
	first := e.found == nil
	changed := !first && e.found.ChangedIn(a.Existing)
	if first || changed {
		e.since = a.Seen
	}
	e.found, e.changed = a.Existing, e.changed || changed
	e.nextAt = m.now.Local.Add(m.config.HeartbeatInterval)
	if first || changed {
		m.do(IDInUse{Existing: a.Existing.Candidate, Until: m.takeOverAt()})
	}
}

// takeOverAt is when the existing candidate counts as dead if its record does not change
// before: after the candidate timeout, or after its lease if it is the leader and that
// is earlier. Both count from the first read of the record as it is, on the local clock. The
// lease counts from the first read of its ballot as well: a leader may renew no more and
// still send heartbeats.
func (m *Machine) takeOverAt() time.Time {
	e := &m.existing
	at := e.since.Add(m.config.CandidateTimeout)
	if leader := &m.leader; leader.known && leader.record.HeldBy(e.found.Candidate.Identity) {
		at = clock.Earliest(at, clock.Latest(e.since.Add(leader.record.LeaseDuration), leader.observation.LeaseEnd(leader.record)))
	}
	return at
}

// planTakeOver sets in op what is known of the existing candidate. It is read once per
// heartbeat, and when it counts as dead. planTakeOver reports whether that is later.
func (m *Machine) planTakeOver(op *Operation) (later bool) {
	e := &m.existing
	if e.found == nil {
		return false
	}
	at := m.takeOverAt()
	op.Existing, op.ExistingChanged, op.TakeOver = e.found, e.changed, !m.now.Local.Before(at)
	if op.TakeOver || !m.now.Local.Before(e.nextAt) {
		return false
	}
	m.wakeAt(clock.Earliest(e.nextAt, at))
	return true
}
