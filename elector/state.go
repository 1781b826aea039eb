package elector

import "github.com/fdbelection/fdbelection/internal/machine"

// State is the part that a process plays.
type State = machine.State

// The states of a process.
const (
	// StateStopped: it has not started, or has left.
	StateStopped = machine.StateStopped
	// StateCandidate: it is looking for the seat, and knows of nobody who leads.
	// A leader is one again while its work stops.
	StateCandidate = machine.StateCandidate
	// StateFollower: it could lead, and somebody else does.
	StateFollower = machine.StateFollower
	// StateLeader: it leads.
	StateLeader = machine.StateLeader
	// StateJeopardy: it leads, and a renewal is overdue: none has been acknowledged for
	// more than half of its lease, or for well over a heartbeat if that is longer.
	StateJeopardy = machine.StateJeopardy
	// StateObserver: it is listed, or only looks on, and never leads.
	StateObserver = machine.StateObserver
)

// Transition is a change of state.
type Transition = machine.Transition

// Reason says why a state was left for another, in words that may be compared.
type Reason = machine.Reason

// The reasons of a transition; package machine says what each means.
const (
	ReasonStarted         = machine.ReasonStarted
	ReasonStopped         = machine.ReasonStopped
	ReasonFailed          = machine.ReasonFailed
	ReasonVacancy         = machine.ReasonVacancy
	ReasonExpiry          = machine.ReasonExpiry
	ReasonPreemption      = machine.ReasonPreemption
	ReasonTransfer        = machine.ReasonTransfer
	ReasonReclaim         = machine.ReasonReclaim
	ReasonUnrenewed       = machine.ReasonUnrenewed
	ReasonRenewed         = machine.ReasonRenewed
	ReasonLeadershipLost  = machine.ReasonLeadershipLost
	ReasonChallenged      = machine.ReasonChallenged
	ReasonAskedToResign   = machine.ReasonAskedToResign
	ReasonAskedToTransfer = machine.ReasonAskedToTransfer
	ReasonDisabled        = machine.ReasonDisabled
	ReasonDemoted         = machine.ReasonDemoted
	ReasonWorkReturned    = machine.ReasonWorkReturned
	ReasonLeaderSeen      = machine.ReasonLeaderSeen
	ReasonNoLeader        = machine.ReasonNoLeader
	ReasonRole            = machine.ReasonRole
)
