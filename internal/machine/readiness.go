package machine

import (
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// NotChecked is why a candidate is not ready before its readiness was checked.
const NotChecked = "its readiness was not checked yet"

// setReadiness changes why the candidate is not ready; empty: it is ready. If that makes it
// ready or not ready, or is the first result, a heartbeat writes it at once. A leader that is
// not ready any more drains first. Another reason for the same is written within a heartbeat
// interval.
func (m *Machine) setReadiness(notReady string) {
	if notReady == m.me.NotReady {
		return
	}
	before, first := m.me.ready(), m.me.NotReady == NotChecked
	m.me.NotReady = notReady
	if m.me.ready() == before && !first {
		m.me.heartbeatAt = clock.Earliest(m.me.heartbeatAt, m.now.Local.Add(m.config.HeartbeatInterval))
		return
	}
	m.claim.delay = claimDelay{}
	m.me.heartbeatAt = m.now.Local
	switch {
	case m.me.ready():
		m.renewal.now = m.renewal.now || m.tenure.leads()
	case m.tenure.leads() && m.mustNotLead():
		m.drainUnready()
		m.tenureFailed()
	case m.tenure.leads(): // no other candidate is ready
		m.renewal.now = true
	}
}

// mustNotLead reports whether the process must not lead because it is not ready. If the
// settings let it, it leads as long as no other candidate is known to be ready.
func (m *Machine) mustNotLead() bool {
	return !m.me.ready() && (m.settings.LeadUnready <= 0 || m.knowsReady())
}

// knowsReady reports whether another voter is listed that is ready, has not timed out and
// does not hold off.
func (m *Machine) knowsReady() bool {
	for i := range m.candidates.members {
		c := &m.candidates.members[i]
		if c.Role == election.Voter && c.Ready() && c.Delay.Rule != RuleHoldOff && c.Identity != m.me.Identity && !m.timedOut(c) {
			return true
		}
	}
	return false
}

// drainUnready ends a tenure of a process that must not lead.
func (m *Machine) drainUnready() {
	if m.mustNotLead() {
		m.startDrain(drainCause{kind: drainUnready}, ReasonNotReady)
	}
}

// unreadyDelay is how long a candidate that is not ready leaves leadership free for those
// that are.
func (m *Machine) unreadyDelay() time.Duration {
	if m.me.ready() {
		return 0
	}
	return m.settings.LeadUnready
}
