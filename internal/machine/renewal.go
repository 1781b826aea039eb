package machine

import (
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// renewalPlan is when the leader renews next. A challenger repeats its request then.
type renewalPlan struct {
	at  time.Time
	now bool // something has called for a renewal, even if one is running already
}

// startRenewal begins a cycle that renews the tenure. It abstains: a leader that finds
// its tenure over must not claim before its work has returned.
func (m *Machine) startRenewal() {
	m.renewal.now = false
	m.startCycle(m.limitUntil(m.tenure.nextDeadline()), true)
}

// A leader drains for a preemption request only after it has seen its counter rise. So a
// challenger repeats a new request a few times in quick succession. Each repetition gives
// the watch of the leader the time to report the one before.
const (
	quickRequests        = 2
	quickRequestInterval = 20 * time.Millisecond
)

// answeredCycle handles the answer to a cycle that renews, claims, accepts or requests.
func (m *Machine) answeredCycle(op *Operation, a *Answer) {
	m.operations.unsettled = m.operations.unsettled || a.MayHaveWritten
	if leadershipLost(a.Err) {
		m.operationSucceeded()
		m.adoptConfig(a)
		m.sawLeader(a)
		m.renewal.at = m.now.Local.Add(pollStep(m.config.HeartbeatInterval)) // if the answer was outdated
		return
	}
	if !m.answeredHeartbeat(op, a) {
		return
	}
	renewNow := m.renewal.now
	m.adoptConfig(a)
	m.renewal.now = renewNow // a new config need not call for a renewal: this cycle used it
	wroteLease := a.Action == election.Claimed || a.Action == election.Renewed
	if wroteLease {
		m.operations.unsettled = false // this commit has read and written the leader record
	}
	renewal := op.Token.Term != 0
	if wroteLease && !renewal && !m.leader.outdated(a) {
		m.lead(a)
	}
	m.sawLeader(a)
	m.request.saw(&a.Status.Request, m.now.Local)
	if renewal || wroteLease || !op.NoPreempt { // otherwise the first request is not sent yet
		m.renewal.at = a.Start.Add(m.config.HeartbeatInterval)
	}
	if count := a.Status.Request.Counter; a.Action == election.RequestedPreemption && count > 0 && count <= quickRequests {
		m.renewal.at = a.Start.Add(min(pollStep(m.config.HeartbeatInterval), max(quickRequestInterval, 4*m.store.latency)))
		m.claim.retryAt = clock.Earliest(m.claim.retryAt, m.renewal.at)
	}
	if renewal && m.tenure.token == op.Token { // its work has not returned meanwhile
		m.drainIfRequested(a)
	}
}
