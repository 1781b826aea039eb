package machine

import (
	"time"

	"github.com/fdbelection/fdbelection/election"
)

// plan starts what is due, and asks to be waked for the next.
func (m *Machine) plan() {
	m.wake = time.Time{}
	if m.phase == notStarted || m.phase == gone {
		return
	}
	m.hurry()
	m.planMain()
	if m.phase == gone {
		return
	}
	m.planChores()
	m.planWatches()
	m.planTenure()
	if !m.wake.IsZero() && !m.wake.Equal(m.woken) {
		m.woken = m.wake
		m.do(Wake{At: m.wake})
	}
}

// at has the machine plan again at an instant, or before.
func (m *Machine) at(t time.Time) {
	if m.wake.IsZero() || t.Before(m.wake) {
		m.wake = t
	}
}

// planMain starts the operation about the seat that is due.
func (m *Machine) planMain() {
	now := m.now.Local
	switch {
	case m.main.busy(): // its answer comes back here
	case now.Before(m.retryAt):
		m.at(m.retryAt)
	case m.handover.pending():
		m.planHandOver()
	case m.holds() && (!m.leaving() || m.tenure.stage != over || now.Before(m.tenure.limit)):
		m.planLeader()
	case m.leaving():
		m.planLeaving()
	default:
		m.planIdle()
	}
}

// planIdle is for a process that holds nothing. Its own seat that it does not
// want is given up, as soon as the last look said that it is still its own.
func (m *Machine) planIdle() {
	switch {
	case m.aim != SubscribeOnly && !m.registered: // first: settling needs an election
		m.planRegistration()
	case m.unsettled:
		m.begin(&m.main, Operation{Kind: Settle, Limit: m.config.LeaseDuration})
	case m.leader.leader.HeldBy(m.me.Identity) && !m.wanted() && !m.readNow:
		m.handOver(m.leader.leader.Token(), drainCause{})
		m.planHandOver()
	default:
		m.planFollower()
	}
}

func (m *Machine) planRegistration() {
	op := Operation{Kind: Register, Limit: m.config.LeaseDuration}
	if m.joined { // evicted: a newer process of the same name goes first
		op.Kind = Rejoin
	} else if m.planTakeOver(&op) {
		return
	}
	if !m.settings.MustExist && !m.now.Local.Before(m.reopens()) {
		op.Config = m.settings.Config
	}
	m.begin(&m.main, op)
}

// planLeader renews once per heartbeat for as long as the tenure may last, the
// time that its work takes to stop included. After that it only says that the
// candidate is alive, until the work has returned.
func (m *Machine) planLeader() {
	now := m.now.Local
	ended := m.tenure.stage == over || m.tenure.cause.kind == drainDisabled
	switch {
	case ended && !now.Before(m.heartbeatAt):
		m.begin(&m.main, Operation{Kind: Heartbeat, Limit: m.patience()})
	case ended:
		m.at(m.heartbeatAt)
	case m.renewNow, !now.Before(m.renewAt):
		m.renewNow = false
		m.planCycle(m.renewalLimit(), true)
	case m.readNow && !m.term.arming(): // and the renewal does not wait for it
		limit := max(m.renewAt.Sub(now), step(m.config.HeartbeatInterval))
		m.begin(&m.main, Operation{Kind: ReadLeader, Limit: min(limit, m.config.HeartbeatInterval)})
	default:
		m.at(m.renewAt)
	}
}

// renewalLimit is how long a renewal may take: a heartbeat, or half of what is
// left where that is more, so that a slow database is survived and one lost
// answer leaves time for another try.
func (m *Machine) renewalLimit() time.Duration {
	return m.tryLimit(m.tenure.next())
}

// tryLimit is how long one try may take of what has to be done by an instant: as
// long as any, or half of what is left where that is more.
func (m *Machine) tryLimit(by time.Time) time.Duration {
	left := by.Sub(m.now.Local)
	return min(max(m.patience(), left/2), left)
}

// patience is how long one try may take of what has no end of its own: a
// heartbeat, and longer where the store was seen to take longer, or does not
// answer in time, up to a lease.
func (m *Machine) patience() time.Duration {
	return min(max(m.config.HeartbeatInterval, 2*m.latency, m.stretch), m.config.LeaseDuration)
}

// planCycle begins a cycle. One that abstains renews, and claims nothing.
func (m *Machine) planCycle(limit time.Duration, abstain bool) {
	m.begin(&m.main, Operation{
		Kind: ElectionCycle, Limit: limit, Token: m.tenure.token,
		EndedTerm: m.ended, Abstain: abstain, NoPreempt: m.now.Local.Before(m.preemptAt()),
	})
}

// planFollower acts on the seat where there is something to do about it, says
// that the candidate is alive three times per timeout, and otherwise looks.
func (m *Machine) planFollower() {
	now := m.now.Local
	claim, wants := m.claimTime()
	look := m.poll.next
	if m.readNow || !m.leader.looked {
		look = now
		if m.term.arming() || !m.term.busy() && !now.Before(m.term.due) {
			look = m.now.Local.Add(m.patience()) // the watch will tell
		}
	}
	switch {
	case wants && !now.Before(claim):
		m.claimAt = now.Add(step(m.config.HeartbeatInterval))
		m.planCycle(m.patience(), false)
	case m.registered && !now.Before(m.heartbeatAt): // it claims nothing out of turn
		m.planCycle(m.patience(), !m.outranks() || now.Before(latest(m.soonest, m.holdOff, m.preemptAt())))
	case !now.Before(look):
		m.begin(&m.main, Operation{Kind: ReadLeader, Limit: m.patience()})
	default:
		m.at(look)
		if m.registered {
			m.at(m.heartbeatAt)
		}
		if wants {
			m.at(claim)
		}
	}
}

// planLeaving leaves, again and again until that has committed or the limit has
// passed.
func (m *Machine) planLeaving() {
	if !m.present {
		m.phase = gone
		return
	}
	if m.leaveBy.IsZero() {
		m.leaveBy = m.now.Local.Add(m.settings.Leave)
	}
	m.begin(&m.main, Operation{Kind: Unregister, Limit: m.tryLimit(m.leaveBy)})
}

// planTenure has the tenure go on in time.
func (m *Machine) planTenure() {
	t := &m.tenure
	switch {
	case t.stage == over && m.now.Local.Before(t.limit):
		m.at(t.limit) // to give up the seat without waiting for the work any longer
		return
	case t.stage != leading && t.stage != draining:
		return
	}
	m.at(t.next())
	if overdue := t.deadlines().Jeopardy; m.leads() && m.now.Local.Before(overdue) {
		m.at(overdue)
	}
}

// finish ends everything.
func (m *Machine) finish() {
	for _, s := range []*runningOperation{&m.chore, &m.term.runningOperation, &m.intents.runningOperation} {
		if s.busy() && !s.aborted {
			s.aborted = true
			m.do(CancelOperation{Op: s.op})
		}
	}
	m.do(Finish{Err: m.result})
}

// State returns the part that the process plays.
func (m *Machine) State() State {
	switch {
	case m.phase == notStarted, m.phase == gone:
		return StateStopped
	case m.leads() && !m.now.Local.Before(m.tenure.deadlines().Jeopardy):
		return StateJeopardy
	case m.leads():
		return StateLeader
	case m.aim == SubscribeOnly, m.me.Role != election.Voter:
		return StateObserver
	case m.leaderless():
		return StateCandidate
	default:
		return StateFollower
	}
}
