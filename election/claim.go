package election

// decideClaim is decide for a caller that does not hold leadership, or whose own tenure has
// ended.
func decideClaim(v *view, c *caller) decision {
	holds := v.leader.HeldBy(c.Identity)
	switch {
	case !v.config.ElectionEnabled, c.role != Voter, c.mayNotLead(), c.abstains():
		return withdrawOrFollow(v, c)
	case !holds && !c.mayClaimUnready(v):
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

// mayNotLead reports whether the caller must not lead, because it is not ready.
func (c *caller) mayNotLead() bool { return c.notReady != "" && c.leadUnready <= 0 }

// mayClaimUnready reports whether the caller is ready, or has seen that leadership is free
// for as long as LeadUnready says.
func (c *caller) mayClaimUnready(v *view) bool {
	switch {
	case c.notReady == "":
		return true
	case v.leader.Vacant():
		return c.at.Sub(c.seen.BallotSince) >= c.leadUnready
	default:
		return LeaseExpired(v.config.Expiry, v.leader, c.seen, c.now.Add(-c.leadUnready), c.at.Add(-c.leadUnready))
	}
}

// mayPreempt reports whether the caller is ready and has a strictly higher priority than a
// live leader that is not protected.
func mayPreempt(v *view, c *caller) bool {
	return v.config.AllowPreemption && c.priority > v.leader.Priority && c.notReady == "" &&
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
	if own || (c.role != Voter || c.notReady != "") && v.request.concerns(c.Identity) {
		return decision{action: Withdrew}
	}
	return decision{action: Followed}
}
