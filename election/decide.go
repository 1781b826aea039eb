package election

import (
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
)

// Action is what a cycle did about the seat.
type Action int

const (
	// Followed: nothing; somebody else holds the seat, or nobody may.
	Followed Action = iota
	// Claimed: began a new tenure.
	Claimed
	// Renewed: extended the lease of the own tenure, or accepted a seat that was
	// handed over.
	Renewed
	// Draining: holds the seat, and must not renew it because the election is
	// disabled. Finish before the lease ends, then resign.
	Draining
	// Vacated: gave up the own seat, as an observer must.
	Vacated
	// Challenged: asked the leader to hand over, or repeated it.
	Challenged
	// Withdrew: took back an own challenge that no longer holds, or as an observer
	// a transfer to itself.
	Withdrew
)

// String returns the action in a word.
func (a Action) String() string {
	names := [...]string{"followed", "claimed", "renewed", "draining", "vacated", "challenged", "withdrew"}
	if a < 0 || int(a) >= len(names) {
		return "unknown"
	}
	return names[a]
}

// Leads reports whether the actor holds the seat after the action.
func (a Action) Leads() bool { return a == Claimed || a == Renewed || a == Draining }

// contender is who decides, with what, and when.
type contender struct {
	Identity
	priority int32
	role     Role
	now      time.Time
	choices
	nonce uuid.UUID // of the tenure or the challenge that may follow
}

// choices are what CycleOptions set.
type choices struct {
	observed  bool
	seen      Observation
	at        time.Time // on the clock of the observation
	endedTerm uint64
	abstain   bool
}

// CycleOption brings to a cycle or a claim what only its process can know.
type CycleOption func(*choices)

// Observed brings what this process has seen of the seat, and the time at
// which the attempt begins, both on the clock of the observation: a monotonic
// one, which need not be that of the now of the cycle. An election that expires
// leases by observation demands it; the zero Observation of a process that has
// seen nothing yet is fine.
func Observed(seen Observation, at time.Time) CycleOption {
	return func(c *choices) { c.observed, c.seen, c.at = true, seen, at }
}

// Abstain has the cycle write the heartbeat and renew the own tenure, and
// neither claim nor challenge: for a process that is draining, or that stays
// out for a while. It accepts a seat that was handed over to it.
func Abstain() CycleOption {
	return func(c *choices) { c.abstain = true }
}

// EndedTerm tells that this process has ended its own tenures up to a term:
// its belief ran out, and its work has been told so. A seat that it still holds
// in such a term is not renewed but claimed anew, in a new term, at once.
func EndedTerm(term uint64) CycleOption {
	return func(c *choices) { c.endedTerm = term }
}

// decision is what to do about the seat, and how a claim came about.
type decision struct {
	action Action
	origin Origin
}

// decide is the whole protocol of a cycle: what a contender does about the
// seat that one wave of reads saw. It is pure.
func decide(v *view, c *contender) decision {
	holds := v.leader.HeldBy(c.Identity)
	switch {
	case holds && c.role != Voter:
		return decision{action: Vacated}
	case holds && !tenureOver(v, c):
		switch {
		case v.config.ElectionEnabled:
			return decision{action: Renewed}
		case !v.leader.Accepted: // never led, so there is nothing to drain
			return decision{action: Vacated}
		}
		return decision{action: Draining}
	case !v.config.ElectionEnabled, c.role != Voter:
		return withdrawOrFollow(v, c)
	case c.abstain:
		return withdrawOrFollow(v, c)
	case v.leader.Vacant():
		return decision{Claimed, OriginVacancy}
	case holds:
		return decision{Claimed, OriginReclaim}
	case leaseOver(v, c):
		return decision{Claimed, OriginExpiry}
	case !mayPreempt(v, c):
		return withdrawOrFollow(v, c)
	case v.config.PreemptionGrace == 0:
		return decision{Claimed, OriginPreemption}
	case mayChallenge(v, c):
		return decision{action: Challenged}
	default:
		return decision{action: Followed}
	}
}

// tenureOver reports whether the contender's own tenure has ended for itself:
// it said so, or, where nothing but the clock can tell, its lease is over.
func tenureOver(v *view, c *contender) bool {
	if v.leader.Term <= c.endedTerm {
		return true
	}
	if !v.leader.Accepted { // nobody believed in it yet, so none has to end
		return false
	}
	return v.config.Expiry == fdbelection.ExpiryByClock && v.leader.ExpiredAt(c.now)
}

// leaseOver reports whether somebody else's lease is over, in the way that
// the config asks for.
func leaseOver(v *view, c *contender) bool {
	if v.config.Expiry == fdbelection.ExpiryByObservation {
		return c.seen.LeaseOver(v.leader, c.at)
	}
	return v.leader.ExpiredAt(c.now)
}

// mayPreempt reports whether the contender outranks a live leader that is not
// protected. Only a strictly higher priority does.
func mayPreempt(v *view, c *contender) bool {
	return v.config.AllowPreemption && c.priority > v.leader.Priority &&
		!protected(v, tenureAge(v, c))
}

// protected reports whether a tenure of an age is safe from preemption. Where
// nothing protects it no clock is asked: one that is ahead would protect it.
func protected(v *view, age time.Duration) bool {
	p := protection(v)
	return p > 0 && age < p
}

// protection is how long a tenure is safe from preemption.
func protection(v *view) time.Duration {
	if v.leader.Origin == OriginTransfer { // else rank would undo the request at once
		return max(v.config.MinimumTenure, v.config.LeaseDuration)
	}
	return v.config.MinimumTenure
}

// tenureAge is how long the tenure has lasted: as observed, or by the clocks.
// Only a holder may come without an observation where the config asks for one.
func tenureAge(v *view, c *contender) time.Duration {
	if v.config.Expiry == fdbelection.ExpiryByObservation && c.observed {
		return c.seen.tenureAge(v.leader, c.at)
	}
	return c.now.Sub(v.leader.AcquiredAt)
}

// mayChallenge reports whether the contender may write an intent: where there
// is none about this term, where its own wants repeating or that of an earlier
// incarnation stands, whose record it has taken over, or where the challenger
// is weaker. What an operator asked for stays.
func mayChallenge(v *view, c *contender) bool {
	if !v.intent.about(v.leader.Term) {
		return true
	}
	return v.intent.Kind == IntentChallenge && (v.intent.ID == c.ID || c.priority > v.intent.Priority)
}

func withdrawOrFollow(v *view, c *contender) decision {
	own := v.intent.Kind == IntentChallenge && v.intent.ID == c.ID // an earlier incarnation's too: it is gone
	if own || c.role != Voter && v.intent.concerns(c.Identity) {
		return decision{action: Withdrew}
	}
	return decision{action: Followed}
}
