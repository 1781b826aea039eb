package machine

import "time"

// maxHoldOff is the longest hold-off after failed work, in leases. A tenure that
// lasts as long counts as healthy: it ends the row of failures.
const maxHoldOff = 32

// workFailed begins a hold-off: one lease after the first failure, twice as long
// after each one that follows it, up to maxHoldOff. The process stays a candidate,
// and neither claims nor challenges until the hold-off is over, whatever its
// priority is. So work that fails on the preferred process does not take the
// leadership back again and again from one whose work runs.
func (m *Machine) workFailed() {
	m.failures++
	leases := min(1<<min(m.failures-1, 10), maxHoldOff)
	length := time.Duration(leases) * m.config.LeaseDuration
	m.holdOff = latest(m.holdOff, m.now.Local.Add(length))
	m.do(HoldOff{Failures: m.failures, For: m.holdOff.Sub(m.now.Local)})
}

// healthy reports whether the present tenure has lasted long enough to end the row of
// failures.
func (m *Machine) healthy() bool {
	return m.leads() && m.now.Local.Sub(m.tenure.began) >= maxHoldOff*m.config.LeaseDuration
}

// preemptAt is when this candidate has been registered for the preempt delay. Before
// that it neither challenges nor preempts.
func (m *Machine) preemptAt() time.Time { return m.registeredAt.Add(m.config.PreemptDelay) }
