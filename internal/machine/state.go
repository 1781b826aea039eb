package machine

import (
	"strconv"
	"time"

	"github.com/fdbelection/fdbelection/election"
)

// State is the part that a process plays in the election. The package comment shows
// the transitions.
type State int

const (
	// StateStopped: the process has not started, or has left.
	StateStopped State = iota
	// StateCandidate: the process is a voter and knows of no leader. A leader whose
	// work stops is a candidate again.
	StateCandidate
	// StateFollower: the process is a voter and another candidate leads.
	StateFollower
	// StateLeader: the process leads.
	StateLeader
	// StateJeopardy: the process leads and a renewal is overdue. None has been
	// acknowledged for more than half of the lease, or for well over a heartbeat if
	// that is longer.
	StateJeopardy
	// StateObserver: the process never leads. It has the role observer, or only
	// subscribes.
	StateObserver
)

var stateNames = [...]string{"stopped", "candidate", "follower", "leader", "jeopardy", "observer"}

// String returns the state in a word.
func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return "State(" + strconv.Itoa(int(s)) + ")"
	}
	return stateNames[s]
}

// Leads reports whether a process in this state leads.
func (s State) Leads() bool { return s == StateLeader || s == StateJeopardy }

// State returns the present state.
func (m *Machine) State() State {
	switch {
	case m.life.phase == notStarted, m.life.phase == stopped:
		return StateStopped
	case m.tenure.leads() && !m.now.Local.Before(m.tenure.deadlines().Jeopardy):
		return StateJeopardy
	case m.tenure.leads():
		return StateLeader
	case m.me.aim == SubscribeOnly, m.me.Role != election.Voter:
		return StateObserver
	case m.leaderless():
		return StateCandidate
	default:
		return StateFollower
	}
}

// Transition is a change of state.
type Transition struct {
	From, To State
	// Term is the term of the process's own tenure if it has one. Otherwise it is the
	// newest known term.
	Term   uint64
	Reason Reason
	// Leader is the leader record as this process knew it then.
	Leader election.LeaderRecord
	// At is the wall clock of this process.
	At time.Time
}

// Aim is what a process wants of an election. Each aim includes those before it.
type Aim int

const (
	// SubscribeOnly: to know who leads, without a candidate record.
	SubscribeOnly Aim = iota
	// StandBy: to be registered and not to claim.
	StandBy
	// Campaign: to lead. An observer never does.
	Campaign
)
