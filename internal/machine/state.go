package machine

import (
	"strconv"
	"time"

	"github.com/fdbelection/fdbelection/election"
)

// State is the part that a process plays.
type State int

const (
	// StateStopped: it has not started, or has left.
	StateStopped State = iota
	// StateCandidate: it is looking for the seat, and knows of nobody who leads.
	StateCandidate
	// StateFollower: it could lead, and somebody else does.
	StateFollower
	// StateLeader: it leads.
	StateLeader
	// StateJeopardy: it leads, and a renewal is overdue: none has been acknowledged for more
	// than half of its lease, or for well over a heartbeat if that is longer.
	StateJeopardy
	// StateObserver: it is listed, or only looks on, and never leads.
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

// Reason says why a state was left for another, in words that may be compared.
type Reason string

// The reasons of a transition.
const (
	ReasonStarted Reason = "started"
	// ReasonStopped: Stop was called, or its like.
	ReasonStopped Reason = "stopped"
	// ReasonFailed: something happened that no retry can mend.
	ReasonFailed Reason = "failed"

	// ReasonVacancy, ReasonExpiry, ReasonPreemption, ReasonTransfer and
	// ReasonReclaim are how a tenure began, as in the origin of the record.
	ReasonVacancy    Reason = "the seat was vacant"
	ReasonExpiry     Reason = "the lease of the leader was over"
	ReasonPreemption Reason = "a higher priority"
	ReasonTransfer   Reason = "handed over by request"
	ReasonReclaim    Reason = "own seat, in a new term"

	// ReasonUnrenewed: no renewal was acknowledged in time.
	ReasonUnrenewed Reason = "no renewal was acknowledged in time"
	// ReasonRenewed: a renewal was acknowledged after all.
	ReasonRenewed Reason = "renewed"
	// ReasonLeadershipLost: somebody else was seen to hold the seat, or nobody.
	ReasonLeadershipLost Reason = "the seat is lost"
	// ReasonChallenged: a strictly higher priority asked for the seat.
	ReasonChallenged Reason = "challenged by a higher priority"
	// ReasonAskedToResign and ReasonAskedToTransfer: an operator asked for it.
	ReasonAskedToResign   Reason = "asked to resign"
	ReasonAskedToTransfer Reason = "asked to hand over"
	// ReasonDisabled: the election was disabled.
	ReasonDisabled Reason = "the election is disabled"
	// ReasonDemoted: the candidate became an observer.
	ReasonDemoted Reason = "became an observer"
	// ReasonWorkReturned: the work ended of itself.
	ReasonWorkReturned Reason = "the work has returned"

	// ReasonLeaderSeen: somebody leads.
	ReasonLeaderSeen Reason = "somebody leads"
	// ReasonNoLeader: nobody leads any more.
	ReasonNoLeader Reason = "nobody leads"
	// ReasonRole: the role or the aim of the candidate has changed.
	ReasonRole Reason = "its role has changed"
)

// Transition is a change of state.
type Transition struct {
	From, To State
	// Term is that of the own tenure where one begins or ends, else the newest
	// that is known.
	Term   uint64
	Reason Reason
	// Leader is the record of the seat as this process knew it then.
	Leader election.LeaderRecord
	// At is the wall clock of this process.
	At time.Time
}

// Aim is what a process wants of an election. Each includes those before it.
type Aim int

const (
	// SubscribeOnly: to know who leads, without a candidate record.
	SubscribeOnly Aim = iota
	// StandBy: to be listed as a candidate, and not to lead yet.
	StandBy
	// Campaign: to lead. An observer never does.
	Campaign
)
