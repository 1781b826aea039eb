package machine

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// Now is one instant on the two clocks of a process.
type Now struct {
	// Local is a clock that nobody sets and that goes on while the machine
	// sleeps. Belief and observation are on it, and on no other.
	Local time.Time
	// Wall is the clock that people and other processes compare. Records are
	// stamped with it, and an election by clock is judged by it.
	Wall time.Time
}

// Event is something that has happened.
type Event interface{ event() }

type (
	// Begin is the first event.
	Begin struct{}
	// Tick says that time has passed: the one that Wake asked for, or any.
	Tick struct{}
	// AimChanged changes what the process wants.
	AimChanged struct{ Aim Aim }
	// RegistrationChanged changes what the candidate says of itself. A leader that becomes an
	// observer drains first.
	RegistrationChanged struct {
		Priority int32
		Role     election.Role
		Metadata map[string]string
	}
	// Leave has the work stop, the seat given up and the candidate removed.
	Leave struct{}
	// CommitStarting says that a renewal is about to be committed. It comes before the
	// commit is issued.
	CommitStarting struct {
		Op      uint64
		Attempt int // counts the attempts of the operation
		Start   time.Time
		Lease   time.Duration
		Config  fdbelection.Config
	}
	// CommitDone says what became of that commit, before the operation is answered.
	CommitDone struct {
		Op      uint64
		Attempt int
		Outcome kv.Outcome
	}
	// Answered ends an operation. For a watch it says that it is armed.
	Answered struct {
		Op     uint64
		Answer Answer
	}
	// WatchEnded ends a watch that was armed; Err says that it was lost.
	WatchEnded struct {
		Op  uint64
		Err error
	}
	// WorkReturning says that the work of a term is about to return of itself. What is
	// left of it is drained, and then it has returned.
	WorkReturning struct {
		Term uint64
		Err  error
	}
	// DeadlinePassed says that the work of a term was told that its time has come, by the
	// clock, before the machine was.
	DeadlinePassed struct{ Term uint64 }
	// WorkReturned says that the work of a term has returned: everything that Lead
	// began is over.
	WorkReturned struct{ Term uint64 }
)

func (Begin) event()               {}
func (Tick) event()                {}
func (AimChanged) event()          {}
func (RegistrationChanged) event() {}
func (Leave) event()               {}
func (CommitStarting) event()      {}
func (CommitDone) event()          {}
func (Answered) event()            {}
func (WatchEnded) event()          {}
func (WorkReturning) event()       {}
func (DeadlinePassed) event()      {}
func (WorkReturned) event()        {}

// Answer is what an operation found. What it carries depends on the kind.
type Answer struct {
	// Err is why the operation failed. Everything but Start, Seen and Touched is
	// void then, except where the error is ErrLeadershipLost.
	Err error
	// Start is the local clock before the last attempt began, Seen after its
	// reads had returned.
	Start, Seen time.Time
	// MayHaveWritten says that a failed operation may have changed the seat, or may
	// still do so.
	MayHaveWritten bool

	// Status is the seat as read, by a look, a watch or after settling; only its
	// Config, Leader and Intent after a cycle, its Config and Leader after a
	// registration that found an incumbent, and its Leader after a hand-over.
	Status election.Status
	// Existing is another incarnation that is registered under the id of a newcomer.
	// Nothing was registered then, and State is as of the same read.
	Existing *election.ExistingCandidate
	// Candidate is the record of the leader, where the operation asked for it and
	// there is one.
	Candidate *election.Candidate
	// Missed are tenures between the one that was known and this one, the oldest
	// first, as far as the history tells.
	Missed []election.LeaderRecord
	// Action is what a cycle did.
	Action election.Action
	// CanHandOver says that what is asked of the leader can be granted.
	CanHandOver bool
	// Members are the candidates that were listed, in the order of their rank, and
	// Ranked the entries of the rank index if only the first were asked for.
	Members []election.Candidate
	Ranked  []election.RankEntry
	// Evicted are the ids that were removed.
	Evicted []string
}
