package machine

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// This file judges the lease of another leader. deadlines.go is about the lease of this
// process.

// leaderless reports whether there is no other leader, as far as this process can tell.
func (m *Machine) leaderless() bool {
	v := &m.leader
	return !v.known || v.record.Vacant() || v.record.HeldBy(m.me.Identity) || v.leaseExpired(&m.config, m.now)
}

// leaseExpired reports whether the lease of the leader has expired, judged in the way
// that the config sets.
func (v *leaderView) leaseExpired(config *knownConfig, now Now) bool {
	return election.LeaseExpired(config.Expiry, v.record, v.observation, now.Wall, now.Local)
}

// leaseEnd is when leaseExpired becomes true if the leader does not renew, on the local
// clock.
func (v *leaderView) leaseEnd(config *knownConfig, now Now) time.Time {
	if v.expiresByClock(config) {
		return now.Local.Add(v.record.LeaseExpiry.Sub(now.Wall))
	}
	return v.observation.LeaseEnd(v.record)
}

// expiresByClock reports whether the wall clock decides about the lease. It cannot for a
// lost record, which does not say when its lease ends.
func (v *leaderView) expiresByClock(config *knownConfig) bool {
	return config.Expiry == fdbelection.ExpiryByClock && !v.record.Lost()
}

// datesBallots reports whether the process has to know when the leader renewed: it
// would claim after the lease, and the lease expires by observation.
func (m *Machine) datesBallots() bool {
	return m.campaigns() && !m.leader.record.Vacant() && !m.tenure.exists() &&
		m.config.Expiry == fdbelection.ExpiryByObservation
}
