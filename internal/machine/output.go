package machine

import "time"

// output is what a step returns to the caller.
type output struct {
	actions []Action
	// state is the state that was reported last, and reason why it changes in this
	// step. An empty reason stands for the default reason of the new state.
	state  State
	reason Reason
	// delays are those that were there at the end of the last step.
	delays []Delay
	// wake is the earliest instant at which something is due; zero: none.
	// requestedWake is the one that the caller was asked for last.
	wake, requestedWake time.Time
}

func (m *Machine) do(a Action) { m.output.actions = append(m.output.actions, a) }

// wakeAt requests another step at t or earlier.
func (m *Machine) wakeAt(t time.Time) {
	if m.output.wake.IsZero() || t.Before(m.output.wake) {
		m.output.wake = t
	}
}

// requestWake asks the caller for a Tick at the earliest instant of this step, unless
// it was asked for that already.
func (m *Machine) requestWake() {
	if o := &m.output; !o.wake.IsZero() && !o.wake.Equal(o.requestedWake) {
		o.requestedWake = o.wake
		m.do(Wake{At: o.wake})
	}
}

// reportState reports a change of state.
func (m *Machine) reportState() {
	to := m.State()
	if to == m.output.state {
		return
	}
	reason := m.output.reason
	if reason == "" {
		reason = m.defaultReason(to)
	}
	term := m.leader.record.Term
	if m.tenure.exists() {
		term = m.tenure.token.Term
	}
	m.do(StateChanged{Transition{
		From: m.output.state, To: to, Term: term, Reason: reason, Leader: m.leader.record, At: m.now.Wall,
	}})
	m.output.state = to
}

// defaultReason is the reason of a change of state if the step has not set one.
func (m *Machine) defaultReason(to State) Reason {
	switch to {
	case StateJeopardy:
		return ReasonUnrenewed
	case StateLeader:
		return ReasonRenewed
	case StateFollower:
		return ReasonLeaderSeen
	case StateObserver:
		return ReasonRole
	case StateStopped:
		if m.life.err != nil {
			return ReasonFailed
		}
		return ReasonStopped
	default:
		return ReasonNoLeader
	}
}
