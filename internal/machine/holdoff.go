package machine

import (
	"time"

	"github.com/fdbelection/fdbelection/internal/clock"
)

// maxHoldOff is the longest hold-off after a tenure that failed, in leases. A tenure that lasts
// as long as this is healthy: it resets the count of failures.
const maxHoldOff = 32

// tenureFailed begins a hold-off, because the work has failed or the process is not ready
// any more: one lease after the first failure, twice as long after each one that follows
// it, and at most maxHoldOff. The process stays a candidate. It
// neither claims nor challenges during the hold-off, even with the highest priority. So
// work that fails on the preferred process does not interrupt, again and again, work that
// runs elsewhere.
func (m *Machine) tenureFailed() {
	c := &m.claim
	c.failures++
	leases := min(1<<min(c.failures-1, 10), maxHoldOff)
	length := time.Duration(leases) * m.config.LeaseDuration
	m.holdOff(length)
	c.heldOff = c.holdOff
	m.do(HoldOff{Failures: c.failures, For: c.holdOff.Sub(m.now.Local)})
}

// holdOff begins a hold-off, or makes the present one longer. The candidate record says so
// within a heartbeat interval.
func (m *Machine) holdOff(length time.Duration) {
	m.claim.holdOff = clock.Latest(m.claim.holdOff, m.now.Local.Add(length))
	m.me.heartbeatAt = clock.Earliest(m.me.heartbeatAt, m.now.Local.Add(m.config.HeartbeatInterval))
}

// healthy reports whether the present tenure has lasted long enough to reset the count
// of failures.
func (m *Machine) healthy() bool {
	return m.tenure.leads() && m.now.Local.Sub(m.tenure.began) >= maxHoldOff*m.config.LeaseDuration
}
