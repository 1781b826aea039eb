package election

import (
	"fmt"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/kv"
)

// RefreshLease renews the lease of exactly the tenure of token, and returns the leader
// record after that. It writes no heartbeat. The first renewal accepts a leadership that
// was handed over. If the candidate record is missing, RefreshLease registers the candidate
// again, as ready, with the priority in the leader record and without metadata. The next
// heartbeat corrects that. A candidate that is not ready cannot accept. It may renew while
// its work stops.
//
// In an election by clock, an expired lease cannot be renewed. By observation, the caller
// must not renew a tenure that it has ended itself.
//
// Errors: ErrNotLeader, ErrElectionDisabled, ErrDuplicateID, ErrNotVoting, ErrNotReady,
// ErrNotInitialized, ErrRegistrationPending, ErrInvalidState.
func (e *LeaderElection) RefreshLease(tr kv.Transaction, token Token, now time.Time) (LeaderRecord, error) {
	v, err := e.readForCandidate(tr, token.Identity)
	switch {
	case err != nil:
		return LeaderRecord{}, err
	case !v.leader.in(token):
		return LeaderRecord{}, notLeader(token, v.leader)
	case v.config.Expiry == fdbelection.ExpiryByClock && v.leader.ownLeaseExpired(now):
		return LeaderRecord{}, fmt.Errorf("%w any more: the lease of %s has expired; claim again", fdbelection.ErrNotLeader, token)
	case v.own != nil && v.own.Role != Voter:
		return LeaderRecord{}, fdbelection.ErrNotVoting
	case !v.config.ElectionEnabled:
		return LeaderRecord{}, fdbelection.ErrElectionDisabled
	case !v.leader.Accepted && v.own != nil && !v.own.Ready():
		return LeaderRecord{}, notReady(v.own)
	}
	priority := v.leader.Priority
	switch {
	case v.own != nil:
		priority = v.own.Priority
	case v.unreadable.own == nil:
		again := Registration{Identity: token.Identity, Priority: priority}
		if err := e.heartbeat(tr, &v, nil, again, now, nil); err != nil {
			return LeaderRecord{}, err
		}
	}
	next := v.renewal(priority, now)
	err = e.writeRenewal(tr, &v, &next)
	return next, err
}

// decideRenewal is decide for a voter whose own tenure goes on.
func decideRenewal(v *view, c *caller) decision {
	switch {
	case (!v.config.ElectionEnabled || c.mayNotLead()) && !v.leader.Accepted: // it never led, so it has nothing to drain
		return decision{action: Vacated}
	case !v.config.ElectionEnabled:
		return decision{action: Draining}
	case c.mayNotLead() && !c.observed: // a caller that keeps its own observation drains by itself
		if c.workEnded || !c.at.Before(c.notes.validUntil) {
			return decision{action: Vacated}
		}
		return decision{action: Draining}
	case !c.mustHandOver(v):
		return decision{action: Renewed}
	case v.request.Kind == ResignRequest:
		return decision{action: Vacated}
	case v.request.Kind == TransferRequest:
		return decision{HandedOver, AcquireTransfer}
	default:
		return decision{HandedOver, AcquirePreemption}
	}
}

// conclude updates the notes after a decision, which makes next the leader record. It
// returns for how long the caller may lead, counted from the now of its cycle. The reading
// start of the clock was taken right after that now.
func (c *caller) conclude(v *view, d decision, next *LeaderRecord, start time.Time) time.Duration {
	var valid time.Duration
	if d.action.Leads() {
		valid = v.config.LeaseDuration - v.config.EffectiveMargin()
		if d.action == Renewed && c.requestCounts(v) {
			valid = min(valid, max(c.graceEnd(v).Sub(start), 1))
		}
		if until := start.Add(valid); until.After(c.notes.validUntil) {
			c.notes.validUntil = until
		}
	}
	if d.action != Renewed && d.action != Draining { // the request was about the tenure before
		c.notes.request = seenRequest{}
	}
	switch {
	case d.action.Holds():
		c.notes.seen = c.seen.Next(*next, c.at)
	case d.action == Vacated && v.request.Kind == ResignRequest:
		c.notes.holdOff = c.at.Add(v.config.LeaseDuration)
		fallthrough
	default:
		c.notes.seen = c.seen
	}
	return valid
}
