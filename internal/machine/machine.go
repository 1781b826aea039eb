package machine

import (
	"errors"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// ErrLeadershipLost ends the attempt of a leader that finds its tenure over: it must
// not claim another one before its work has returned.
var ErrLeadershipLost = errors.New("the seat is no longer held in this tenure")

// Machine is one contender between two events. It is a value: a copy of it goes
// its own way.
type Machine struct {
	settings Settings
	now      Now // of the step under way

	me   election.Registration
	role election.Role // of me, once its tenure is over
	aim  Aim

	phase   phase
	result  error
	leaveBy time.Time // zero until the first try

	config     fdbelection.Config // once configured the one that stands
	configured bool
	configAt   time.Time // when it was taken in
	registered bool
	// registeredAt is when the present registration was acknowledged.
	registeredAt time.Time
	joined       bool // was registered once
	present      bool // a registration may have been committed

	existing existingCandidate

	leader     leaderView
	poll       pollSchedule
	claimDelay claimDelay
	candidates candidateList

	tenure      tenure
	ended       uint64 // the own tenures up to it are over
	handover    handover
	seenRequest seenRequest

	heartbeatAt time.Time // the next heartbeat, by a cycle or alone
	renewAt     time.Time // the next renewal, or the next challenge
	claimAt     time.Time // not before
	soonest     time.Time // not before: one tenure per heartbeat
	holdOff     time.Time // not before: after failed work, or a resignation on request
	// failures counts the tenures in a row whose work failed.
	failures int
	// A watch has called for a look, or for a renewal; also while one is under
	// way, which may have missed what there is to see.
	readNow, renewNow bool
	// The tenure has changed since the seat was read: it may be open.
	termChanged bool

	unsettled      bool
	retryAt        time.Time
	backoff        time.Duration
	storeError     string                   // as reported
	unreadable     string                   // as reported
	reportedErrors [WatchRequest + 1]string // of chores and watches, by their kind
	latency        time.Duration
	stretch        time.Duration // of patience, after a try that had its time

	main, chore   runningOperation
	term, intents watch
	nextOp        uint64

	told    State
	reason  Reason // of the change of state in this step
	wake    time.Time
	woken   time.Time // the last that was asked for
	actions []Action
}

// phase is how far a machine has come.
type phase int

const (
	notStarted phase = iota
	running
	departing
	gone
)

// New returns a machine that has not begun.
func New(settings Settings) Machine {
	config := settings.Config
	if config.LeaseDuration == 0 {
		config = fdbelection.DefaultConfig()
	}
	if settings.Shortlist <= 0 {
		settings.Shortlist = shortlisted
	}
	return Machine{settings: settings, me: settings.Me, role: settings.Me.Role, aim: settings.Aim, config: config}
}

// Step takes in an event, and returns the machine after it and what is to be
// done, in order. The same machine, event and time give the same answer.
func Step(m Machine, event Event, now Now) (Machine, []Action) {
	m.now, m.actions, m.reason = now, nil, ""
	if m.phase == gone {
		return m, nil
	}
	m.advance() // what comes too late does not bring belief back
	m.take(event)
	m.advance()
	m.plan()
	m.tell()
	if m.phase == gone {
		m.finish()
	}
	actions := m.actions
	m.actions = nil
	return m, actions
}

func (m *Machine) take(event Event) {
	switch e := event.(type) {
	case Begin:
		if m.phase == notStarted {
			m.phase, m.reason = running, ReasonStarted
		}
	case AimChanged:
		m.aimed(e.Aim)
	case RegistrationChanged:
		m.changed(e)
	case Leave:
		m.leave(nil)
	case CommitStarting:
		m.issuing(e)
	case CommitDone:
		m.issued(e)
	case Answered:
		m.answered(e.Op, &e.Answer)
	case WatchEnded:
		m.fired(e)
	case WorkReturning:
		m.ending(e)
	case DeadlinePassed:
		if m.tenure.token.Term == e.Term {
			m.drain(ReasonUnrenewed, time.Time{})
		}
	case WorkReturned:
		m.returned(e.Term)
	case Tick:
		if m.now.Local.Before(m.woken) { // the timer ran ahead of the clock: ask for it again
			m.woken = time.Time{}
		}
	}
}

func (m *Machine) do(a Action) { m.actions = append(m.actions, a) }

func (m *Machine) leaving() bool { return m.phase == departing || m.phase == gone }

// aimed changes what the process wants. A leader that wants to lead no longer
// drains; a candidate stays listed until it leaves.
func (m *Machine) aimed(aim Aim) {
	if m.aim >= StandBy {
		aim = max(aim, StandBy)
	}
	if aim == m.aim {
		return
	}
	m.aim, m.reason = aim, ReasonRole
	m.readNow = m.readNow || !m.holds()
	if aim != Campaign {
		m.startDrain(drainCause{kind: drainDemoted}, ReasonRole)
	}
}

// changed takes over what the candidate says of itself from now on.
func (m *Machine) changed(e RegistrationChanged) {
	m.me.Priority, m.me.Metadata, m.role = e.Priority, e.Metadata, e.Role
	m.claimDelay = claimDelay{}
	m.heartbeatAt = m.now.Local // others are to know soon
	switch {
	case !m.holds():
		if m.me.Role != m.role {
			m.reason = ReasonRole
		}
		m.me.Role = m.role
	case m.role != election.Voter:
		m.startDrain(drainCause{kind: drainDemoted}, ReasonDemoted)
	default:
		m.renewNow = true
	}
}

// leave has the work stop and the candidate leave; the first reason counts.
func (m *Machine) leave(result error) {
	if m.leaving() {
		return
	}
	m.phase, m.result = departing, result
	m.retryAt, m.handover = time.Time{}, handover{} // leaving gives up the seat as well
	reason := ReasonStopped
	if result != nil {
		reason = ReasonFailed
	}
	m.drain(reason, m.now.Local.Add(m.settings.Drain))
}

// hurry ends the operation under way where nothing but leaving is left to do,
// which settles whatever it leaves behind, and one that is of no importance where
// the seat is to be given up.
func (m *Machine) hurry() {
	t, kind := &m.tenure, m.main.what.Kind
	left := m.leaving() && m.leaveBy.IsZero() && (!m.holds() || t.stage == over && !m.now.Local.Before(t.limit))
	waited := m.handover.pending() && (kind == Heartbeat || kind == ReadLeader)
	if m.main.busy() && !m.main.aborted && (left || waited) {
		m.main.aborted = true
		m.do(CancelOperation{Op: m.main.op})
	}
}

// tell says how the state has changed in this step.
func (m *Machine) tell() {
	to := m.State()
	if to == m.told {
		return
	}
	reason := m.reason
	if reason == "" {
		reason = m.defaultReason(to)
	}
	term := m.leader.leader.Term
	if m.holds() {
		term = m.tenure.token.Term
	}
	m.do(StateChanged{Transition{From: m.told, To: to, Term: term, Reason: reason, Leader: m.leader.leader, At: m.now.Wall}})
	m.told = to
}

// defaultReason is why a state is entered for which nothing in particular was done.
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
		if m.result != nil {
			return ReasonFailed
		}
		return ReasonStopped
	default:
		return ReasonNoLeader
	}
}
