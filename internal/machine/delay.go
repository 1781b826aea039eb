package machine

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// The rules that keep a process from claiming or preempting for a while. Package elector
// has the same texts for its users.
const (
	// RuleHoldOff: its last tenure failed, or it was asked to resign.
	RuleHoldOff = "hold-off"
	// RulePreemptDelay: it was not registered for long enough to preempt.
	RulePreemptDelay = "preempt delay"
	// RuleMinimumTenure: the tenure of the leader is too young to be preempted.
	RuleMinimumTenure = "minimum tenure"
	// RuleHeadStart: after an outage of the store, the last leader claims first.
	RuleHeadStart = "head start"
	// RuleLostRecords: a leader record was lost, and its leader may still lead.
	RuleLostRecords = "lost records"
)

// Delay is a rule that keeps this process from claiming or preempting.
type Delay struct {
	Rule  string
	Until time.Time // on the local clock
}

// delays returns the delays at present. A process that would not claim or preempt anyway
// has none, and neither has one that was handed leadership.
func (m *Machine) delays() (delays []Delay) {
	handed := m.leader.record.HeldBy(m.me.Identity) && !m.leader.record.Accepted
	if m.life.phase != running || !m.wantsToLead() || m.tenure.exists() || handed {
		return nil
	}
	add := func(rule string, until time.Time) {
		if m.now.Local.Before(until) {
			delays = append(delays, Delay{rule, until})
		}
	}
	add(RuleHoldOff, m.claim.holdOff)
	add(RuleLostRecords, m.leader.waitAfterLoss(&m.config))
	add(RuleHeadStart, m.headStartEnd())
	if m.outranksLeader() && !m.leaderless() {
		add(RulePreemptDelay, m.me.mayPreemptAt(&m.config))
		add(RuleMinimumTenure, m.protectedUntil())
	}
	return delays
}

// protectedUntil is when the minimum tenure of the leader ends.
func (m *Machine) protectedUntil() time.Time {
	v, minimum := &m.leader, m.config.MinimumTenure
	if v.record.AcquireReason == election.AcquireTransfer {
		minimum = max(minimum, m.config.LeaseDuration)
	}
	if m.config.Expiry == fdbelection.ExpiryByClock {
		return m.now.Local.Add(v.record.AcquiredAt.Add(minimum).Sub(m.now.Wall))
	}
	return v.observation.TermSince.Add(minimum)
}

// storedDelay is the delay that ends last, for the candidate record.
func (m *Machine) storedDelay() election.Delay {
	var last Delay
	for _, d := range m.delays() {
		if d.Until.After(last.Until) {
			last = d
		}
	}
	if last.Rule == "" {
		return election.Delay{}
	}
	return election.Delay{Rule: last.Rule, Until: m.now.Wall.Add(last.Until.Sub(m.now.Local))}
}

// reportDelays reports each delay when it begins, and again if it becomes longer by more
// than a heartbeat. HoldOff has reported a hold-off after a failed tenure.
func (m *Machine) reportDelays() {
	delays := m.delays()
	for _, d := range delays {
		known := false
		for _, before := range m.output.delays {
			known = known || before.Rule == d.Rule && !d.Until.After(before.Until.Add(m.config.HeartbeatInterval))
		}
		if !known && (d.Rule != RuleHoldOff || d.Until.After(m.claim.heldOff)) {
			m.do(Delayed{d})
		}
	}
	m.output.delays = delays
}
