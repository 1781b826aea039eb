package election

import (
	"time"

	"github.com/fdbelection/fdbelection"
)

// decision is what to do about the leadership, and how a tenure that it begins was acquired.
type decision struct {
	action Action
	reason AcquireReason
}

// decide is the protocol: what a caller does about the leadership that one wave of reads
// saw. It is a pure function. A candidate that holds leadership renews (decideRenewal),
// and any other may claim (decideClaim).
func decide(v *view, c *caller) decision {
	if v.leader.HeldBy(c.Identity) {
		if c.role != Voter {
			return decision{action: Vacated}
		}
		if !ownTenureEnded(v, c) {
			return decideRenewal(v, c)
		}
	}
	return decideClaim(v, c)
}

// isProtected reports whether the tenure is too young to be preempted. If nothing protects
// it, its age is not asked, since the clock that dated it may be ahead.
func isProtected(v *view, c *caller) bool {
	minimum := v.config.MinimumTenure
	if v.leader.AcquireReason == AcquireTransfer { // otherwise a higher priority would undo the transfer at once
		minimum = max(minimum, v.config.LeaseDuration)
	}
	return minimum > 0 && tenureAge(v, c) < minimum
}

// tenureAge returns how long the tenure has lasted, as the caller has seen it. In an
// election by clock, and for a holder that has seen nothing, it is the difference of two
// wall clock readings.
func tenureAge(v *view, c *caller) time.Duration {
	if v.config.Expiry == fdbelection.ExpiryByObservation && (c.observed || c.seen.Term > 0) {
		return c.seen.tenureAge(v.leader, c.at)
	}
	return c.now.Sub(v.leader.AcquiredAt)
}
