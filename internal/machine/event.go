package machine

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// Now is one instant on the two clocks of a process.
type Now struct {
	// Local is the process clock. It is never set, and it counts the time in which the
	// host is suspended. Deadlines and observations use it and no other clock.
	Local time.Time
	// Wall is the wall clock. Records are stamped with it, and expiry by clock is judged
	// by it.
	Wall time.Time
}

// Event is something that has happened.
type Event interface{ event() }

type (
	// Begin is the first event.
	Begin struct{}
	// Tick says that time has passed. A Wake asks for it, and it does no harm at any
	// other time.
	Tick struct{}
	// AimChanged changes what the process wants.
	AimChanged struct{ Aim Aim }
	// RegistrationChanged changes the registration of the candidate. A leader that
	// becomes an observer drains first.
	RegistrationChanged struct {
		Priority int32
		Role     election.Role
		Metadata map[string]string
	}
	// ReadinessChanged says why the candidate is not ready to lead. If NotReady is empty, it
	// is ready.
	ReadinessChanged struct{ NotReady string }
	// Leave drains the work, resigns and unregisters. With a Succession, a leader hands over
	// instead of resigning.
	Leave struct{ Succession }
	// CommitStarting says that the commit of a renewal is about to start. The caller
	// waits for this step before it starts the commit.
	CommitStarting struct {
		Op      uint64
		Attempt int // counts the attempts of the operation
		Start   time.Time
		Lease   time.Duration
		Config  fdbelection.Config
	}
	// CommitDone is the result of that commit. It comes before the answer of the
	// operation.
	CommitDone struct {
		Op      uint64
		Attempt int
		Outcome kv.Outcome
	}
	// Answered ends an operation. For a watch it says that the watch is armed, or why it
	// is not.
	Answered struct {
		Op     uint64
		Answer Answer
	}
	// WatchEnded says that an armed watch has fired. If Err is not nil it has failed.
	WatchEnded struct {
		Op  uint64
		Err error
	}
	// WorkReturning says that the work of a term is about to return by itself.
	// WorkReturned follows when it has stopped.
	WorkReturning struct {
		Term uint64
		Err  error
	}
	// DeadlinePassed says that a timer of the caller has told the work of a term to stop,
	// because the stop deadline has passed.
	DeadlinePassed struct{ Term uint64 }
	// WorkReturned says that everything that Lead began has stopped.
	WorkReturned struct{ Term uint64 }
)

func (Begin) event()               {}
func (Tick) event()                {}
func (AimChanged) event()          {}
func (RegistrationChanged) event() {}
func (ReadinessChanged) event()    {}
func (Leave) event()               {}
func (CommitStarting) event()      {}
func (CommitDone) event()          {}
func (Answered) event()            {}
func (WatchEnded) event()          {}
func (WorkReturning) event()       {}
func (DeadlinePassed) event()      {}
func (WorkReturned) event()        {}

// Answer is what an operation found. Its kind decides which fields are set.
type Answer struct {
	// Err is why the operation failed. Then only Start, Seen, MayHaveWritten and Claims are
	// valid, unless the error is ErrLeadershipLost.
	Err error
	// Start is the local clock before the last attempt began, and Seen after its reads
	// had returned.
	Start, Seen time.Time
	// MayHaveWritten says that a failed operation may have changed the leader record, or
	// may still change it.
	MayHaveWritten bool
	// Claims says that an attempt of a cycle without a tenure has decided to claim, accept
	// or request leadership, even if it could not commit that. It is only reported.
	Claims bool

	// Status is the status that was read. A read, a watch and Settle set all of it. A
	// cycle sets Config, Leader and Request, a registration that found an existing
	// candidate Config and Leader, and a hand-over Leader and the Request that it met.
	Status election.Status
	// Existing is another incarnation that is registered under the same id. Then nothing
	// was registered, and Status is of the same read.
	Existing *election.ExistingCandidate
	// Candidate is the candidate record of the leader, if the operation asked for it and
	// it exists.
	Candidate *election.Candidate
	// Missed are the tenures between the known one and this one, the oldest first, as far
	// as the history has them.
	Missed []election.LeaderRecord
	// Action is what a cycle did.
	Action election.Action
	// CanHandOver says that the leader can meet the request that stands.
	CanHandOver bool
	// Members are the listed candidates in the order of their rank. Ranked are the entries
	// of the rank index if only the shortlist was listed.
	Members []election.Candidate
	Ranked  []election.RankEntry
	// Evicted are the ids that were removed.
	Evicted []string
	// Refused is why an Unregister with a Succession has resigned instead of handing over.
	Refused error
}
