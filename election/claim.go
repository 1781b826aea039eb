package election

import (
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
)

// TryClaimLeadership claims, renews or requests preemption as RunElectionCycle does, but
// writes no heartbeat. The candidate is taken as its record describes it. What this
// incarnation has seen of the leader is what its heartbeats have noted in that record
// (HeartbeatCandidate, RunElectionCycle).
//
// A holder renews, and must itself do what a request asks. If a cycle of RunElectionCycle has
// seen a request that stands, ValidUntil is never later than the ValidUntil that that cycle
// returned.
//
// Errors: those of RunElectionCycle, ErrElectionDisabled, ErrNotVoting.
func (e *LeaderElection) TryClaimLeadership(tr kv.Transaction, me Identity, now time.Time, opts ...CycleOption) (CycleResult, error) {
	if err := me.Validate(); err != nil {
		return CycleResult{}, err
	}
	start := e.clock.Now()
	v, err := e.readForCandidate(tr, me)
	switch {
	case err != nil:
		return CycleResult{}, err
	case v.own == nil:
		return CycleResult{}, orUnregistered(v.unreadable.own)
	case v.own.Role != Voter:
		return CycleResult{}, fdbelection.ErrNotVoting
	case !v.config.ElectionEnabled:
		return CycleResult{}, fdbelection.ErrElectionDisabled
	}
	c := e.newCaller(&v, v.own.Registration, now, opts)
	limit := c.promisedUntil(&v)
	c.notes.request = seenRequest{} // only RunElectionCycle acts on requests, since only it can store notes
	d := decide(&v, &c)
	result, err := e.carryOut(tr, &v, &c, d)
	if err != nil {
		return CycleResult{}, err
	}
	valid := c.conclude(&v, d, &result.Leader, start)
	if d.action == Renewed && !limit.IsZero() {
		valid = min(valid, max(limit.Sub(start), 0))
	}
	if d.action.Leads() {
		result.ValidUntil = now.Add(valid)
	}
	return result, nil
}

// decideClaim is decide for a caller that does not hold leadership, or whose own tenure has
// ended.
func decideClaim(v *view, c *caller) decision {
	holds := v.leader.HeldBy(c.Identity)
	switch {
	case !v.config.ElectionEnabled, c.role != Voter, c.abstains():
		return withdrawOrFollow(v, c)
	case !holds && !c.seen.MayClaim(v.config.LeaseDuration, c.at):
		return withdrawOrFollow(v, c) // the leader that the lost records named may still lead
	case v.leader.Vacant():
		return decision{Claimed, AcquireVacancy}
	case holds:
		return decision{Claimed, AcquireReclaim}
	case LeaseExpired(v.config.Expiry, v.leader, c.seen, c.now, c.at):
		return decision{Claimed, AcquireExpiry}
	case c.noPreempt, !mayPreempt(v, c):
		return withdrawOrFollow(v, c)
	case v.config.PreemptionGrace == 0:
		return decision{Claimed, AcquirePreemption}
	case mayRequestPreemption(v, c):
		return decision{action: RequestedPreemption}
	default:
		return decision{action: Followed}
	}
}

// abstains reports whether the caller claims nothing: by its own choice, or because it has
// resigned on request a short while ago.
func (c *caller) abstains() bool {
	return c.abstain || !c.observed && !c.notes.holdOff.IsZero() && c.at.Before(c.notes.holdOff)
}

// mayPreempt reports whether the caller has a strictly higher priority than a live leader
// that is not protected.
func mayPreempt(v *view, c *caller) bool {
	return v.config.AllowPreemption && c.priority > v.leader.Priority &&
		!isProtected(v, c) &&
		(c.observed || c.at.Sub(c.notes.since) >= v.config.PreemptDelay)
}

// mayRequestPreemption reports whether the caller may write a preemption request. It may
// if no request about this term stands. It may also repeat its own, replace one of an
// earlier incarnation, whose record it has taken over, or replace one of a lower priority.
// A request of an operator stays, and so does a request that cannot be read.
func mayRequestPreemption(v *view, c *caller) bool {
	if v.unreadable.request != nil {
		return false
	}
	if !v.request.about(v.leader.Term) {
		return true
	}
	return v.request.Kind == PreemptionRequest && (v.request.ID == c.ID || c.priority > v.request.Priority)
}

// withdrawOrFollow withdraws the caller's preemption request if there is one. A request of
// an earlier incarnation counts as its own, since that process is gone.
func withdrawOrFollow(v *view, c *caller) decision {
	own := v.request.Kind == PreemptionRequest && v.request.ID == c.ID
	if own || c.role != Voter && v.request.concerns(c.Identity) {
		return decision{action: Withdrew}
	}
	return decision{action: Followed}
}

// requestPreemption writes the caller's preemption request, or raises the counter of the
// one that stands. It depends on the term record and not on the leader record, so it
// conflicts with changes of the tenure and not with renewals.
func (e *LeaderElection) requestPreemption(tr kv.Transaction, v *view, c *caller, nonce uuid.UUID) (Request, error) {
	next := Request{
		Kind: PreemptionRequest, Term: v.leader.Term, Identity: c.Identity,
		Nonce: nonce, Counter: 1, Priority: c.priority,
	}
	if v.request.Nonce == nonce {
		next.Counter = v.request.Counter + 1
	}
	// A concurrent transaction may remove the author, replace it or make it an observer. If
	// it committed afterwards, the request would stand for the rest of the term. This write
	// conflict makes it fail. RunElectionCycle also writes that key with its heartbeat.
	if err := tr.AddWriteConflictKey(e.keys.candidate(c.ID)); err != nil {
		return Request{}, err
	}
	if err := conflictOn(tr, e.keys.request, e.keys.term, e.keys.config); err != nil {
		return Request{}, err
	}
	tr.Set(e.keys.request, next.encode())
	return next, nil
}
