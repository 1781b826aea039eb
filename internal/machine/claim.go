package machine

import (
	"time"

	"github.com/fdbelection/fdbelection/internal/clock"
)

// claimPlan decides, together with the leader record, when this process claims.
type claimPlan struct {
	delay claimDelay
	// No claim begins before these instants. retryAt follows the last claim.
	// nextTenureAt bounds the rate to one tenure per heartbeat. holdOff follows failed
	// work, a tenure that became unready, or a resignation that was requested. headStart
	// follows an outage of the store.
	retryAt, nextTenureAt, holdOff time.Time
	headStart                      headStart
	// failures counts the tenures in a row that failed. HoldOff has reported the hold-off
	// until heldOff.
	failures int
	heldOff  time.Time
	// termChanged says that a watch has fired and the leader record was not read since:
	// leadership may be vacant.
	termChanged bool
}

// claimTime returns when a cycle is due that claims, accepts or requests leadership, and
// whether one is due at all. It only saves cycles: the transaction decides.
func (m *Machine) claimTime() (at time.Time, wants bool) {
	leader := &m.leader.record
	switch {
	case !m.leader.known || !m.wantsToLead():
		return time.Time{}, false
	case leader.HeldBy(m.me.Identity) && !leader.Accepted: // it was handed over to this process
		return m.claim.retryAt, true
	case !m.candidates.tried, m.readsBeforeClaim():
		return time.Time{}, false
	}
	at = m.vacantAt()
	if m.claim.termChanged && m.firstInRank() {
		at = m.now.Local // the first in rank claims without reading before that
	}
	if m.outranksLeader() { // a preemption request is repeated once per heartbeat
		at = clock.Earliest(at, clock.Latest(m.renewal.at, m.me.mayPreemptAt(&m.config)))
	}
	c := &m.claim
	return clock.Latest(at, c.retryAt, c.nextTenureAt, c.holdOff, m.headStartEnd(), m.leader.waitAfterLoss(&m.config)), true
}

// vacantAt is when this candidate may claim without preemption: when leadership is
// vacant or the lease has expired, and the claim delay has passed. A tenure of its own
// that has ended is reclaimed at once.
func (m *Machine) vacantAt() time.Time {
	leader := &m.leader.record
	switch {
	case leader.HeldBy(m.me.Identity):
		return m.now.Local
	case leader.Vacant():
		return m.leader.observation.BallotSince.Add(m.claimDelay())
	default:
		return m.leader.leaseEnd(&m.config, m.now).Add(m.claimDelay())
	}
}

// outranksLeader reports whether this candidate may preempt the leader.
func (m *Machine) outranksLeader() bool {
	leader := &m.leader.record
	return m.wantsToLead() && m.me.ready() && m.config.AllowPreemption && m.me.Priority > leader.Priority &&
		!leader.Vacant() && !leader.HeldBy(m.me.Identity)
}

// mayPreempt reports whether this candidate preempts or challenges the leader now.
func (m *Machine) mayPreempt() bool {
	return m.outranksLeader() &&
		!m.now.Local.Before(clock.Latest(m.claim.nextTenureAt, m.claim.holdOff, m.me.mayPreemptAt(&m.config)))
}

// startClaim begins a cycle that claims or preempts.
func (m *Machine) startClaim() {
	m.claim.retryAt = m.now.Local.Add(pollStep(m.config.HeartbeatInterval))
	m.startCycle(m.claimLimit(), false)
}

// startCycle begins a cycle. One that abstains sends a heartbeat and renews, and claims
// nothing.
func (m *Machine) startCycle(limit time.Duration, abstain bool) {
	m.begin(&m.operations.main, Operation{
		Kind: ElectionCycle, Limit: limit, Token: m.tenure.token,
		EndedTerm: m.tenure.endedTerm, Abstain: abstain, NoPreempt: m.now.Local.Before(m.me.mayPreemptAt(&m.config)),
		LeadUnready: m.settings.LeadUnready,
	})
}
