package campaign

import (
	"time"

	"github.com/fdbelection/fdbelection"
)

// plan starts the operation that is due, or sets the timer to the next.
func (l *loop) plan(now time.Time) {
	switch {
	case l.busy || l.finished: // its answer comes back here
	case now.Before(l.retryAt):
		l.wake(now, l.retryAt)
	case l.handover != nil:
		l.giveUpSeat(now)
	case l.tenure != nil:
		l.planLeader(now)
	case l.leaving:
		l.planLeaving(now)
	case l.unsettled:
		l.do(l.config.LeaseDuration, l.settle)
	case !l.registered:
		l.do(l.config.LeaseDuration, l.register)
	default:
		l.planFollower(now)
	}
}

// planLeader renews once per heartbeat for as long as the tenure may last, the
// time that its work takes to stop included. After that it only says that the
// candidate is alive, until the work has returned.
func (l *loop) planLeader(now time.Time) {
	ended := l.tenure.token.Term <= l.endedTerm || l.demand.drains()
	switch {
	case ended && !now.Before(l.beatAt):
		l.do(l.config.LeaseDuration, l.beat)
	case ended:
		l.wake(now, l.beatAt)
	case l.renewNow, !now.Before(l.renewAt):
		l.renewNow = false
		l.cycle(l.config.HeartbeatInterval)
	case l.lookNow: // another may have taken the seat
		l.lookNow = false
		l.do(l.config.HeartbeatInterval, l.look)
	default:
		l.wake(now, l.renewAt)
	}
}

// planFollower acts on the seat where there is something to do about it, says
// that the candidate is alive three times per timeout, and otherwise looks.
func (l *loop) planFollower(now time.Time) {
	switch {
	case l.looked && !now.Before(l.claimAt) && l.wants(now):
		l.claimAt = now.Add(step(l.config.HeartbeatInterval))
		l.cycle(l.config.LeaseDuration)
	case !now.Before(l.beatAt):
		l.cycle(l.config.LeaseDuration)
	case l.lookNow || !now.Before(l.cadence.next):
		l.lookNow = false
		l.do(l.config.LeaseDuration, l.look)
	default:
		l.wake(now, l.beatAt, l.cadence.next, l.takeOverAt(now))
	}
}

// wants reports whether a cycle may do something about the seat. It only saves
// cycles: the transaction decides.
func (l *loop) wants(now time.Time) bool {
	switch leader := l.leader; {
	case !l.config.ElectionEnabled:
		return false
	case l.abstains(now):
		return leader.HeldBy(l.Me.Identity) && !leader.Accepted // it was handed over
	case leader.Vacant(), leader.HeldBy(l.Me.Identity):
		return true
	case l.config.Expiry == fdbelection.ExpiryByClock && leader.ExpiredAt(now),
		l.config.Expiry == fdbelection.ExpiryByObservation && l.seen.LeaseOver(leader, now):
		return true
	default:
		return l.mayChallenge() && !now.Before(l.renewAt)
	}
}

// abstains reports whether the candidate stays out, after it was asked to
// resign.
func (l *loop) abstains(now time.Time) bool { return now.Before(l.holdOff) }

// mayChallenge reports whether this candidate outranks the leader: then it runs
// a cycle per heartbeat, which keeps its challenge fresh.
func (l *loop) mayChallenge() bool {
	return l.config.AllowPreemption && l.Me.Priority > l.leader.Priority
}

// takeOverAt is when the ballot that stands has stood for a whole lease, or
// when the next challenge is due.
func (l *loop) takeOverAt(now time.Time) time.Time {
	at := l.seen.BallotSince.Add(l.leader.LeaseDuration)
	if l.config.Expiry == fdbelection.ExpiryByClock {
		at = l.leader.LeaseExpiry
	}
	if l.mayChallenge() {
		at = earliest(at, l.renewAt)
	}
	// An instant that is past has had its turn, or is held off.
	for _, soonest := range []time.Time{l.claimAt, l.holdOff} {
		if at.Before(soonest) {
			at = soonest
		}
	}
	if !at.After(now) {
		return l.cadence.next
	}
	return at
}

// planLeaving leaves, again and again until that has committed or the limit
// has passed.
func (l *loop) planLeaving(now time.Time) {
	if !l.present {
		l.finished = true
		return
	}
	if l.leaveBy.IsZero() {
		l.leaveBy = now.Add(l.LeaveLimit)
	}
	l.do(max(l.leaveBy.Sub(now), time.Millisecond), l.unregister)
}
