package machine

import (
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/belief"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// tenure is this process's own tenure: the deadlines of its lease, and how far it has
// gone. It exists until its work has returned.
type tenure struct {
	token  election.Token
	began  time.Time
	belief belief.Belief
	// limit ends the use of the lease by work that was told to stop. If it is zero,
	// only the end deadline does.
	limit time.Time
	stage stage
	cause drainCause // what is to be done after the drain; cleared when that begins
	// endedTerm says that all tenures of this process up to this term are over. It
	// outlives the tenure.
	endedTerm uint64
}

// stage is how far a tenure has gone. It only moves forward.
type stage int

const (
	none     stage = iota
	leading        // the process leads
	draining       // the work is told to stop, and may use the lease
	over           // the lease must not be used any more
)

// exists reports whether there is a tenure whose work has not returned.
func (t *tenure) exists() bool { return t.stage != none }

// leads reports whether the process leads.
func (t *tenure) leads() bool { return t.stage == leading }

// deadlines are the earliest deadlines of all attempts that may count, and of the drain.
func (t *tenure) deadlines() Deadlines {
	d := t.belief.Deadlines()
	if t.stage == draining && !t.limit.IsZero() {
		d.End = clock.Earliest(d.End, t.limit)
	}
	return d
}

// nextDeadline is when the next stage begins if no renewal is acknowledged before.
func (t *tenure) nextDeadline() time.Time {
	d := t.deadlines()
	if t.stage == leading {
		return d.Stop
	}
	return d.End
}

// lead begins a tenure after a commit that wrote a lease was acknowledged. It does not
// begin if the process does not want to lead any more, or if the stop deadline has
// passed already. Then planning hands leadership back or claims it again.
func (m *Machine) lead(a *Answer) {
	leader := a.Status.Leader
	acked := belief.DeadlinesOf(a.Start, leader.LeaseDuration, a.Status.Config)
	if m.life.leaving() || !m.wantsToLead() || !m.now.Local.Before(acked.Stop) {
		return
	}
	m.tenure = tenure{
		token: leader.Token(), began: m.now.Local, belief: belief.Begin(acked), stage: leading,
		endedTerm: min(m.tenure.endedTerm, leader.Term-1), // terms start again if the records were removed
	}
	m.output.reason = reasonOf(leader.AcquireReason)
	m.renewal.now = false
	m.candidates.due = m.now.Local // a leader lists all candidates
	m.do(Lead{Leader: leader})
}

// reasonOf returns the reason of a transition for the way in which a tenure began.
func reasonOf(acquired election.AcquireReason) Reason {
	switch acquired {
	case election.AcquireExpiry:
		return ReasonExpiry
	case election.AcquirePreemption:
		return ReasonPreemption
	case election.AcquireTransfer:
		return ReasonTransfer
	case election.AcquireReclaim:
		return ReasonReclaim
	default:
		return ReasonVacancy
	}
}

// advance moves the tenure to its stage at the present time. After the drain limit it
// begins the hand-over or resignation without waiting for the work.
func (m *Machine) advance() {
	for m.tenure.stage == leading || m.tenure.stage == draining {
		if m.now.Local.Before(m.tenure.nextDeadline()) {
			return
		}
		if m.tenure.leads() {
			// The work may use the rest of the lease. If a renewal is acknowledged after all,
			// it has as much time as in any other drain.
			m.drain(ReasonUnrenewed, clock.Latest(m.tenure.deadlines().End, m.now.Local.Add(m.settings.Drain)))
		} else {
			m.expire()
		}
	}
	if t := &m.tenure; t.stage == over && !m.now.Local.Before(t.limit) {
		m.finishDrain()
	}
}

// planDeadlines requests a wake-up for the next stage of the tenure, and for jeopardy.
func (m *Machine) planDeadlines() {
	t := &m.tenure
	switch {
	case t.stage == over && m.now.Local.Before(t.limit):
		m.wakeAt(t.limit)
		return
	case t.stage != leading && t.stage != draining:
		return
	}
	m.wakeAt(t.nextDeadline())
	if overdue := t.deadlines().Jeopardy; t.leads() && m.now.Local.Before(overdue) {
		m.wakeAt(overdue)
	}
}

// expire ends the use of the lease.
func (m *Machine) expire() {
	t := &m.tenure
	t.stage = over
	t.endedTerm = max(t.endedTerm, t.token.Term)
	m.do(Expire{Term: t.token.Term})
}

// loseLeadership ends the tenure at once, because the records do not name it any more.
func (m *Machine) loseLeadership() {
	t := &m.tenure
	t.cause = drainCause{}
	if t.stage != over {
		m.drain(ReasonLeadershipLost, time.Time{})
		m.expire()
	}
}

// workReturning handles that the work is about to return by itself: the process drains
// and resigns. If the work has failed, a hold-off begins.
func (m *Machine) workReturning(e WorkReturning) {
	t := &m.tenure
	if t.token.Term != e.Term || !t.leads() {
		return
	}
	m.claim.nextTenureAt = t.began.Add(m.config.HeartbeatInterval)
	m.startDrain(drainCause{kind: drainWorkReturned}, ReasonWorkReturned)
	if e.Err == nil {
		m.claim.failures = 0
	} else {
		m.tenureFailed()
	}
}

// workReturned ends the tenure, and begins what the drain was for.
func (m *Machine) workReturned(term uint64) {
	m.workReturning(WorkReturning{Term: term})
	if m.tenure.token.Term != term || !m.tenure.exists() {
		return
	}
	if m.tenure.stage != over {
		m.expire()
	}
	m.finishDrain()
	m.tenure = tenure{endedTerm: m.tenure.endedTerm}
	m.renewal.now, m.poll.readNow = false, true
	m.store.retryAt = time.Time{}
	if m.me.Role != m.me.nextRole {
		m.me.Role, m.me.heartbeatAt = m.me.nextRole, m.now.Local
	}
}
