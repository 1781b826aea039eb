package machine

import (
	"time"

	"github.com/fdbelection/fdbelection/internal/clock"
)

// headStart is the time after an outage of the store in which this process leaves an
// expired leadership to its holder. An outage ends the lease of a healthy leader, and
// without a head start any candidate could be the first to claim. Every other ballot ends
// it: a renewal, a new tenure or a vacancy.
type headStart struct {
	ballot       uint64
	began, until time.Time
}

// givesHeadStart reports whether this process leaves the leadership to its holder after an
// outage: another process holds it, and this one does not outrank that process.
func (m *Machine) givesHeadStart() bool {
	leader := &m.leader.record
	return m.settings.HeadStart >= 0 && m.leader.known && !leader.Vacant() && !leader.HeldBy(m.me.Identity) && !m.outranksLeader()
}

// awaitAnswer notes that a main operation begins. The time without an answer counts from the
// last answer, and from a heartbeat ago at the earliest: a longer time without an operation is
// that of a process that was paused.
func (m *Machine) awaitAnswer() {
	if s := &m.store; s.unanswered.IsZero() {
		s.unanswered = clock.Latest(s.answeredAt, m.now.Local.Add(-m.config.HeartbeatInterval))
	}
}

// outageBegins is when the store will not have answered for the lease of the leader, if
// operations fail now.
func (m *Machine) outageBegins() time.Time {
	return m.store.unanswered.Add(m.leader.record.LeaseDuration)
}

// readsBeforeClaim reports whether the store is away and this process gives a head start. It
// does not claim before there is an answer.
func (m *Machine) readsBeforeClaim() bool {
	return m.store.backoff > 0 && m.givesHeadStart() && !m.now.Local.Before(m.outageBegins())
}

// outageEnded begins the head start after the first answer that follows an outage. The
// store may have come back one back-off earlier.
func (m *Machine) outageEnded() {
	if !m.readsBeforeClaim() {
		return
	}
	length := m.settings.HeadStart
	if length == 0 {
		length = m.config.HeartbeatInterval
	}
	m.claim.headStart = headStart{m.leader.record.Ballot, m.now.Local, m.now.Local.Add(length - m.store.backoff)}
}

// sawBallot handles a ballot after another one. The answer that ends an outage may show the last
// ballot from before it, which has a head start too.
func (h *headStart) sawBallot(before, ballot uint64, now time.Time) {
	if h.ballot == before && h.began.Equal(now) {
		h.ballot = ballot
	}
}

// headStartEnd is when this process may claim the leadership as far as the head start is
// concerned. It is zero if there is none.
func (m *Machine) headStartEnd() time.Time {
	if h := &m.claim.headStart; h.ballot == m.leader.record.Ballot && m.givesHeadStart() {
		return h.until
	}
	return time.Time{}
}

// claimLimit is how long a claim may take. While operations fail, it ends before the outage
// begins, so that it is not the first answer after that.
func (m *Machine) claimLimit() time.Duration {
	if m.store.backoff == 0 || !m.givesHeadStart() {
		return m.operationLimit()
	}
	return min(m.operationLimit(), m.outageBegins().Sub(m.now.Local))
}
