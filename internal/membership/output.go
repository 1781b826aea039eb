package membership

import (
	"errors"
	"strconv"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/belief"
	"github.com/fdbelection/fdbelection/internal/mirror"
)

// State is what a process is in its group.
type State int

// The states.
const (
	// StateStopped: it has not started, or has left.
	StateStopped State = iota
	// StateObserver: it only observes.
	StateObserver
	// StateJoining: it has no session, or one that it does not believe.
	StateJoining
	// StateUnready: its session lives, and it does not receive shards yet.
	StateUnready
	// StateMember: its session lives, and it receives shards.
	StateMember
	// StateJeopardy: its session lives, and a heartbeat is overdue.
	StateJeopardy
	// StateLeaving: it hands its shards over.
	StateLeaving
)

var stateNames = [...]string{"stopped", "observer", "joining", "not ready", "member", "jeopardy", "leaving"}

// String returns the state in a word or two.
func (s State) String() string {
	if s >= 0 && int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "State(" + strconv.Itoa(int(s)) + ")"
}

// output is what a step returns to the caller.
type output struct {
	actions []Action
	routes  []string // shards whose records have changed in this step
	members bool     // members have changed in this step
	config  bool     // a config was read
	state   State    // that was reported last
	cause   error    // of the change of state of this step
	// wake is the earliest instant at which something is due; zero: none. requestedWake is the
	// one that the caller was asked for last.
	wake, requestedWake time.Time
}

func (m *Machine) do(a Action) { m.output.actions = append(m.output.actions, a) }

// wakeAt requests another step at t or earlier.
func (m *Machine) wakeAt(t time.Time) {
	if m.output.wake.IsZero() || t.Before(m.output.wake) {
		m.output.wake = t
	}
}

// requestWake asks the caller for a Tick at the earliest instant of this step, unless it was
// asked for that already.
func (m *Machine) requestWake() {
	if o := &m.output; !o.wake.IsZero() && !o.wake.Equal(o.requestedWake) {
		o.requestedWake = o.wake
		m.do(Wake{At: o.wake})
	}
}

// reportState reports what has changed in this step.
func (m *Machine) reportState() {
	o := &m.output
	if o.routes != nil || o.members {
		m.do(RoutesChanged{Shards: o.routes, Members: o.members})
		o.routes, o.members = nil, false
	}
	if to := m.State(); to != o.state {
		m.do(StateChanged{From: o.state, To: to, Err: errors.Join(o.cause, m.life.err)})
		o.state = to
	}
	o.cause = nil
}

// State returns what the process is at the time of the last step.
func (m *Machine) State() State {
	switch {
	case m.life.phase == notStarted, m.life.phase == stopped:
		return StateStopped
	case m.life.phase == leaving:
		return StateLeaving
	case m.observer():
		return StateObserver
	case !m.session.live, m.session.stage != leading:
		return StateJoining
	case !m.now.Local.Before(m.session.belief.Deadlines().Jeopardy):
		return StateJeopardy
	case !m.own.ready():
		return StateUnready
	default:
		return StateMember
	}
}

// Deadlines returns until when the session of this process is believed. It is the zero
// Deadlines if it is not.
func (m *Machine) Deadlines() belief.Deadlines {
	if !m.session.live || m.session.stage == over {
		return belief.Deadlines{}
	}
	return m.session.belief.Deadlines()
}

// Beat returns when the last heartbeat that was acknowledged began. It is zero if there is no
// session.
func (m *Machine) Beat() time.Time {
	if !m.session.live {
		return time.Time{}
	}
	return m.session.beganAt
}

// Mirror returns the copy of the records. Do not change it.
func (m *Machine) Mirror() *mirror.Mirror { return m.mirror }

// Config returns the config that this process uses.
func (m *Machine) Config() group.Config { return m.config }

// Session returns the present session of this process, or the last one.
func (m *Machine) Session() election.Identity { return m.session.me }

// Leads reports whether this process finds that it leads in a tenure.
func (m *Machine) Leads(token group.Token) bool {
	one := m.tenures.of[token.Shard]
	return one != nil && one.token == token && one.stage == leading && m.believes()
}

// Leading returns the number of shards that this process leads, and of those that it is
// giving up.
func (m *Machine) Leading() (leads, ending int) {
	return len(m.tenures.of) - len(m.tenures.ending), len(m.tenures.ending)
}
