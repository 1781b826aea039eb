package membership

import "time"

// planAll starts every operation that is due, and requests a wake-up for the next one.
func (m *Machine) planAll() {
	m.output.wake = time.Time{}
	if m.life.phase == notStarted || m.life.phase == stopped {
		return
	}
	m.planSync()
	m.leaveInTime()
	if m.life.phase == stopped {
		return
	}
	m.planSession()
	if m.life.phase == stopped {
		return
	}
	m.planDeadlines()
	if !m.observer() && m.mirror.Complete() {
		m.replan()
		m.planLook()
		m.planMoves()
	}
	m.requestWake()
}

// planDeadlines requests a wake-up for the next stage of the session and of the tenures.
func (m *Machine) planDeadlines() {
	if s := &m.session; s.live {
		d := s.belief.Deadlines()
		switch s.stage {
		case leading:
			m.wakeAt(d.Stop)
			if m.now.Local.Before(d.Jeopardy) {
				m.wakeAt(d.Jeopardy)
			}
		case draining:
			m.wakeAt(d.End)
		default:
		}
	}
	if !m.tenures.limitAt.IsZero() {
		m.wakeAt(m.tenures.limitAt)
	}
}

// planMoves updates the own record, releases, evicts and claims.
func (m *Machine) planMoves() {
	if !m.session.live {
		return
	}
	if !m.slots.give.busy() && m.planUpdate() && m.may(Release) {
		m.planRelease()
	}
	if m.slots.take.busy() || m.planEvict() || m.life.phase != running {
		return
	}
	if m.believes() && m.own.ready() && !m.leadsNothing() && m.may(Claim) {
		m.planClaim()
	}
	if !m.slots.take.busy() {
		m.planTrim()
	}
}
