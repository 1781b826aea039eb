package election

import (
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
)

// Action is what a cycle did about the seat.
type Action int

const (
	// Followed: nothing. Another candidate leads, or this one may not claim.
	Followed Action = iota
	// Claimed: began a new tenure.
	Claimed
	// Renewed: extended the lease of its own tenure, or accepted a leadership that
	// was handed over.
	Renewed
	// Draining: holds the leadership, and must not renew it because the election is
	// disabled. Finish before the lease ends, then resign.
	Draining
	// Vacated: gave up its own leadership: an observer must, and a holder that was
	// asked to resign.
	Vacated
	// RequestedPreemption: asked the leader to hand over, or repeated it.
	RequestedPreemption
	// Withdrew: took back its own challenge, which no longer holds, or as an observer
	// a transfer to itself.
	Withdrew
	// HandedOver: gave its own leadership to the candidate that the intent names.
	HandedOver
)

// String returns the action in a word.
func (a Action) String() string {
	names := [...]string{"followed", "claimed", "renewed", "draining", "vacated", "challenged", "withdrew", "handed over"}
	if a < 0 || int(a) >= len(names) {
		return "unknown"
	}
	return names[a]
}

// Leads reports whether the actor leads after the action.
func (a Action) Leads() bool { return a == Claimed || a == Renewed }

// Holds reports whether the actor holds the leadership after the action. A holder whose
// lease is over by its own clock does not, although the leader record may still name it.
func (a Action) Holds() bool { return a.Leads() || a == Draining }

// caller is a candidate in one cycle: who decides, with what, and when.
type caller struct {
	Identity
	priority int32
	role     Role
	now      time.Time
	cycleOptions
	notes notes
	nonce uuid.UUID // of the tenure or the challenge that may follow
}

// cycleOptions are what CycleOptions set. Without Observed, seen and at come from the
// notes and the clock of the election.
type cycleOptions struct {
	observed  bool
	seen      Observation
	at        time.Time // on the clock of the observation
	endedTerm uint64
	abstain   bool
	idle      bool
	noPreempt bool
}

// CycleOption brings to a cycle or a claim what only its process can know.
type CycleOption func(*cycleOptions)

// WithObservation brings what this process has seen of the leader record, and the time at
// which the attempt begins, both on the clock of the observation: a monotonic one,
// which need not be that of the now of the cycle. It is for a caller that keeps
// its own observation, as package elector does. Such a caller also decides by
// itself what becomes of a request or a challenge (CanHandOver, HandOver), when its own
// tenure is over (EndedTerm), and how long it waits before it preempts.
//
// Without it the cycle keeps all of that in the candidate record.
func WithObservation(seen Observation, at time.Time) CycleOption {
	return func(c *cycleOptions) { c.observed, c.seen, c.at = true, seen, at }
}

// Abstain has the cycle write the heartbeat and renew its own tenure, and
// neither claim nor challenge: for a process that is draining, or that stays
// out for a while. It accepts a leadership that was handed over to it.
func Abstain() CycleOption {
	return func(c *cycleOptions) { c.abstain = true }
}

// EndedTerm tells that this process has ended its own tenures up to a term:
// its belief ran out, and its work has been told so. A leadership that it still
// holds in such a term is not renewed but claimed again, in a new term, at once.
func EndedTerm(term uint64) CycleOption {
	return func(c *cycleOptions) { c.endedTerm = term }
}

// WorkEnded tells that no work of this process runs under its leadership. A request
// that stands, or a challenge whose author was seen to be alive, is then met at once,
// without waiting for the end of the grace.
func WorkEnded() CycleOption {
	return func(c *cycleOptions) { c.idle = true }
}

// decision is what to do about the leadership, and how a claim came about.
type decision struct {
	action Action
	origin AcquireReason
}

// decide is the whole protocol of a cycle: what a contender does about the
// leadership that one wave of reads saw. It is pure.
func decide(v *view, c *caller) decision {
	holds := v.leader.HeldBy(c.Identity)
	switch {
	case holds && c.role != Voter:
		return decision{action: Vacated}
	case holds && !tenureOver(v, c):
		return decideHolder(v, c)
	case !v.config.ElectionEnabled, c.role != Voter, c.abstains():
		return withdrawOrFollow(v, c)
	case !holds && !c.seen.MayClaim(v.config.LeaseDuration, c.at):
		return withdrawOrFollow(v, c) // the leader by the records that are gone may still believe
	case v.leader.Vacant():
		return decision{Claimed, AcquireVacancy}
	case holds:
		return decision{Claimed, AcquireReclaim}
	case leaseOver(v, c):
		return decision{Claimed, AcquireExpiry}
	case c.noPreempt, !mayPreempt(v, c):
		return withdrawOrFollow(v, c)
	case v.config.PreemptionGrace == 0:
		return decision{Claimed, AcquirePreemption}
	case mayChallenge(v, c):
		return decision{action: RequestedPreemption}
	default:
		return decision{action: Followed}
	}
}

// decideHolder is decide for the holder of a tenure that goes on.
func decideHolder(v *view, c *caller) decision {
	switch {
	case !v.config.ElectionEnabled && !v.leader.Accepted: // it never led, so there is nothing to drain
		return decision{action: Vacated}
	case !v.config.ElectionEnabled:
		return decision{action: Draining}
	case !c.mustGiveUp(v):
		return decision{action: Renewed}
	case v.intent.Kind == ResignRequest:
		return decision{action: Vacated}
	case v.intent.Kind == TransferRequest:
		return decision{HandedOver, AcquireTransfer}
	default:
		return decision{HandedOver, AcquirePreemption}
	}
}

// abstains reports whether the contender claims nothing: by its own choice, or
// because it has resigned on request a short while ago.
func (c *caller) abstains() bool {
	return c.abstain || !c.observed && !c.notes.out.IsZero() && c.at.Before(c.notes.out)
}

// asked reports whether an intent asks the holder to give up, as far as its notes
// decide about it: it stands, it is legal, and its author is alive.
func (c *caller) asked(v *view) bool {
	return !c.observed && v.legal(c) && c.notes.request.alive(c.at, v.config.HeartbeatInterval)
}

// legal reports whether the intent that stands may be granted by the holder now.
func (v *view) legal(c *caller) bool {
	switch {
	case !v.leader.Accepted || !v.intent.about(v.leader.Term):
		return false
	case v.intent.Kind == ResignRequest:
		return true
	case !v.intentStands():
		return false
	}
	return v.intent.Kind != PreemptionRequest || !protected(v, tenureAge(v, c))
}

// graceEnd is when the holder's grace for the intent is over, on its own clock.
func (c *caller) graceEnd(v *view) time.Time {
	return c.notes.request.live.Add(v.config.PreemptionGrace)
}

// mustGiveUp reports whether it is time to meet the intent: the grace is over, and
// so is every instant until which a cycle told its caller that it leads; or the
// caller says that its work has ended.
func (c *caller) mustGiveUp(v *view) bool {
	if !c.asked(v) {
		return false
	}
	return c.idle || !c.at.Before(c.graceEnd(v)) && !c.at.Before(c.notes.trusted)
}

// tenureOver reports whether the contender's own tenure has ended for itself: it
// said so, or its lease is over by its own clock and it keeps no better account.
func tenureOver(v *view, c *caller) bool {
	if v.leader.Term <= c.endedTerm {
		return true
	}
	if !v.leader.Accepted { // it did not believe in it yet, so no belief has to end
		return false
	}
	return (!c.observed || v.config.Expiry == fdbelection.ExpiryByClock) && v.leader.ExpiredAt(c.now)
}

// leaseOver reports whether another candidate's lease is over, in the way that
// the config asks for. A record that was lost tells no time.
func leaseOver(v *view, c *caller) bool {
	if v.config.Expiry == fdbelection.ExpiryByObservation || v.lost {
		return c.seen.LeaseExpired(v.leader, c.at)
	}
	return v.leader.ExpiredAt(c.now)
}

// mayPreempt reports whether the contender outranks a live leader that is not
// protected. Only a strictly higher priority does.
func mayPreempt(v *view, c *caller) bool {
	return v.config.AllowPreemption && c.priority > v.leader.Priority &&
		!protected(v, tenureAge(v, c)) &&
		(c.observed || c.at.Sub(c.notes.since) >= v.config.PreemptDelay)
}

// protected reports whether a tenure of an age is safe from preemption. If
// nothing protects it, no clock is asked: one that is ahead would protect it.
func protected(v *view, age time.Duration) bool {
	p := protection(v)
	return p > 0 && age < p
}

// protection is how long a tenure is safe from preemption.
func protection(v *view) time.Duration {
	if v.leader.AcquireReason == AcquireTransfer { // else rank would undo the request at once
		return max(v.config.MinimumTenure, v.config.LeaseDuration)
	}
	return v.config.MinimumTenure
}

// tenureAge is how long the tenure has lasted: as observed, or by the clocks. A
// holder that has observed nothing knows when it began.
func tenureAge(v *view, c *caller) time.Duration {
	if v.config.Expiry == fdbelection.ExpiryByObservation && (c.observed || c.seen.Term > 0) {
		return c.seen.tenureAge(v.leader, c.at)
	}
	return c.now.Sub(v.leader.AcquiredAt)
}

// mayChallenge reports whether the contender may write an intent: if none stands
// about this term, if its own wants repeating or that of an earlier incarnation
// stands, whose record it has taken over, or if the challenger is weaker. What an
// operator asked for stays, and so does an intent that cannot be read.
func mayChallenge(v *view, c *caller) bool {
	if v.unreadable.intent != nil {
		return false
	}
	if !v.intent.about(v.leader.Term) {
		return true
	}
	return v.intent.Kind == PreemptionRequest && (v.intent.ID == c.ID || c.priority > v.intent.Priority)
}

func withdrawOrFollow(v *view, c *caller) decision {
	own := v.intent.Kind == PreemptionRequest && v.intent.ID == c.ID // an earlier incarnation's too: it is gone
	if own || c.role != Voter && v.intent.concerns(c.Identity) {
		return decision{action: Withdrew}
	}
	return decision{action: Followed}
}
