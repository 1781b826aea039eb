package machine

import (
	"errors"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/belief"
)

// ErrLeadershipLost ends a cycle that should renew a tenure which has ended. The
// executor does not claim again then: the work of the old tenure has not returned.
var ErrLeadershipLost = errors.New("leadership was lost")

// Machine is the state of the loop of one process between two events. It is a value:
// a copy is independent of the original. Slices in it are shared between copies and
// are never changed in place.
type Machine struct {
	settings Settings
	now      Now // the time of the current step

	life     lifecycle
	config   knownConfig
	me       ownCandidate
	existing existingCandidate

	leader     leaderView
	poll       pollSchedule
	candidates candidateList
	claim      claimPlan

	tenure   tenure
	renewal  renewalPlan
	request  requestView
	handOver handOver

	operations operations
	watches    watches
	store      storeHealth
	output     output
}

// New returns a machine that has not started.
func New(settings Settings) Machine {
	config := settings.Config
	if config.LeaseDuration == 0 {
		config = fdbelection.DefaultConfig()
	}
	if settings.Shortlist <= 0 {
		settings.Shortlist = defaultShortlist
	}
	return Machine{
		settings: settings,
		config:   knownConfig{Config: config},
		me:       ownCandidate{Registration: settings.Me, nextRole: settings.Me.Role, aim: settings.Aim},
	}
}

// Step handles an event and returns the actions to perform, in order. What it does depends
// on the machine, the event and the time only. Copies that were made before stay as they are.
func (m *Machine) Step(event Event, now Now) []Action {
	m.now = now
	m.output.actions, m.output.reason = nil, ""
	if m.life.phase == stopped {
		return nil
	}
	m.advance() // before the event: a late acknowledgement does not bring a tenure back
	m.handle(event)
	m.advance()
	m.plan()
	m.reportState()
	m.reportDelays()
	if m.life.phase == stopped {
		m.finish()
	}
	actions := m.output.actions
	m.output.actions = nil
	return actions
}

func (m *Machine) handle(event Event) {
	switch e := event.(type) {
	case Begin:
		if m.life.phase == notStarted {
			m.life.phase, m.output.reason = running, ReasonStarted
		}
	case AimChanged:
		m.setAim(e.Aim)
	case RegistrationChanged:
		m.setRegistration(e)
	case ReadinessChanged:
		m.setReadiness(e.NotReady)
	case Leave:
		m.leave(nil)
		m.setSuccession(e.Succession)
	case CommitStarting:
		if e.Op == m.operations.main.id && m.tenure.exists() {
			m.tenure.belief.Starting(e.Op, e.Attempt, belief.DeadlinesOf(e.Start, e.Lease, e.Config))
		}
	case CommitDone:
		m.tenure.belief.Done(e.Op, e.Attempt, e.Outcome)
	case Answered:
		m.answered(e.Op, &e.Answer)
	case WatchEnded:
		m.watchEnded(e)
	case WorkReturning:
		m.workReturning(e)
	case DeadlinePassed:
		if m.tenure.token.Term == e.Term {
			m.drain(ReasonUnrenewed, time.Time{})
		}
	case WorkReturned:
		m.workReturned(e.Term)
	case Tick:
		if m.now.Local.Before(m.output.requestedWake) { // the timer was early: request the wake again
			m.output.requestedWake = time.Time{}
		}
	}
}

// setAim changes what the process wants. A leader that no longer wants to lead drains.
// A registered candidate stays registered until it leaves.
func (m *Machine) setAim(aim Aim) {
	if m.me.aim >= StandBy {
		aim = max(aim, StandBy)
	}
	if aim == m.me.aim {
		return
	}
	m.me.aim, m.output.reason = aim, ReasonRole
	m.poll.readNow = m.poll.readNow || !m.tenure.exists()
	if aim != Campaign {
		m.startDrain(drainCause{kind: drainDemoted}, ReasonRole)
	}
}

// setRegistration changes the priority, role and metadata of the candidate. The next
// heartbeat, which is due at once, writes them. The role of a process with a tenure
// changes after its work has returned.
func (m *Machine) setRegistration(e RegistrationChanged) {
	m.me.Priority, m.me.Metadata, m.me.nextRole = e.Priority, e.Metadata, e.Role
	m.claim.delay = claimDelay{}
	m.me.heartbeatAt = m.now.Local
	switch {
	case !m.tenure.exists():
		if m.me.Role != m.me.nextRole {
			m.output.reason = ReasonRole
		}
		m.me.Role = m.me.nextRole
	case m.me.nextRole != election.Voter:
		m.startDrain(drainCause{kind: drainDemoted}, ReasonDemoted)
	default:
		m.renewal.now = true
	}
}

// campaigns reports whether the process leads if it holds leadership and is ready.
func (m *Machine) campaigns() bool {
	return m.me.aim == Campaign && m.me.Role == election.Voter && m.config.ElectionEnabled
}

// wantsToLead reports whether the process leads if it holds leadership.
func (m *Machine) wantsToLead() bool { return m.campaigns() && !m.mustNotLead() }
