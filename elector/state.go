package elector

import (
	"strconv"
	"time"

	"github.com/fdbelection/fdbelection/election"
)

// State is what this process is in its election. The package documentation has the diagram.
type State int

const (
	// StateStopped means that the elector has not started or has stopped.
	StateStopped State = iota
	// StateCandidate means that the process knows of no leader. A leader is a candidate
	// again while its work stops.
	StateCandidate
	// StateFollower means that the process may lead, and another process leads.
	StateFollower
	// StateLeader means that the process leads.
	StateLeader
	// StateJeopardy means that the process leads and a renewal is overdue. None has been
	// acknowledged for more than half of the lease, or for well over a heartbeat interval
	// if that is longer.
	StateJeopardy
	// StateObserver means that the process never leads. It is registered as an
	// election.Observer, or it only subscribes.
	StateObserver
)

var stateNames = [...]string{"stopped", "candidate", "follower", "leader", "jeopardy", "observer"}

// String returns the state in one word.
func (s State) String() string {
	if s < 0 || int(s) >= len(stateNames) {
		return "State(" + strconv.Itoa(int(s)) + ")"
	}
	return stateNames[s]
}

// Leads reports whether a process in this state leads: as the leader, or in jeopardy.
func (s State) Leads() bool { return s == StateLeader || s == StateJeopardy }

// Transition is a change of state.
type Transition struct {
	From, To State
	// Term is the term of this process's tenure if one begins or ends. Otherwise it is
	// the newest term that this process knows.
	Term uint64
	// Reason says why the state changed.
	Reason Reason
	// Leader is the leader record as this process knew it at that time.
	Leader election.LeaderRecord
	// At is the time of the change on the wall clock of this process.
	At time.Time
}

// Reason says why the state changed or a tenure ended. Its text is for people. Compare it
// with the constants.
type Reason string

const (
	// ReasonStarted means that the elector was started.
	ReasonStarted Reason = "started"
	// ReasonStopped means that the program ended it: by Stop, or by the end of the context.
	ReasonStopped Reason = "stopped"
	// ReasonFailed means that the elector stopped because of an error that no retry fixes,
	// or was abandoned.
	ReasonFailed Reason = "failed"

	// ReasonVacancy means that this process claimed a vacant leadership.
	ReasonVacancy Reason = "leadership was vacant"
	// ReasonExpiry means that this process took over after the lease of the leader had
	// expired.
	ReasonExpiry Reason = "the lease of the leader had expired"
	// ReasonPreemption means that this process replaced a leader of a lower priority, at
	// once or by a hand-over.
	ReasonPreemption Reason = "preempted a lower priority"
	// ReasonTransfer means that the leader handed over to this process because of a
	// transfer request.
	ReasonTransfer Reason = "handed over on request"
	// ReasonReclaim means that the leader record still named this process, whose last tenure
	// had ended.
	ReasonReclaim Reason = "reclaimed in a new term"

	// ReasonUnrenewed means that no renewal was acknowledged in time.
	ReasonUnrenewed Reason = "no renewal was acknowledged in time"
	// ReasonRenewed means that an overdue renewal was acknowledged.
	ReasonRenewed Reason = "renewed"
	// ReasonLeadershipLost means that another process took over, or that the leadership was
	// vacated by an operator.
	ReasonLeadershipLost Reason = "leadership was taken over or vacated"
	// ReasonChallenged means that a candidate of a higher priority has requested leadership.
	ReasonChallenged Reason = "challenged by a higher priority"
	// ReasonAskedToResign means that an operator has requested a resignation.
	ReasonAskedToResign Reason = "asked to resign"
	// ReasonAskedToTransfer means that an operator has requested a transfer.
	ReasonAskedToTransfer Reason = "asked to hand over"
	// ReasonDisabled means that an operator has disabled the election.
	ReasonDisabled Reason = "the election is disabled"
	// ReasonDemoted means that SetRole made this process an observer while it led.
	ReasonDemoted Reason = "became an observer"
	// ReasonNotReady means that Options.Ready has returned an error while this process led.
	ReasonNotReady Reason = "not ready"
	// ReasonWorkReturned means that the work returned before it was asked to stop, or that
	// the tenure was resigned.
	ReasonWorkReturned Reason = "the work has returned"

	// ReasonLeaderSeen means that another process leads.
	ReasonLeaderSeen Reason = "another process leads"
	// ReasonNoLeader means that there is no leader any more.
	ReasonNoLeader Reason = "there is no leader"
	// ReasonRole means that the role of this process has changed, or whether it campaigns.
	ReasonRole Reason = "the role has changed"
)
