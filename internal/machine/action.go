package machine

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// Action is something that is to be done. None of them waits.
type Action interface{ action() }

type (
	// StartOperation begins an operation. It ends with Answered, and a watch with Fired after
	// that.
	StartOperation struct{ Operation }
	// CancelOperation ends an operation or a watch that is under way, whose answer still
	// comes.
	CancelOperation struct{ Op uint64 }
	// Lead begins the work of a tenure. It ends with Returned.
	Lead struct {
		Leader election.LeaderRecord
	}
	// Drain asks the work of a term to stop: it leads no longer, and may use what
	// is left of its lease to finish.
	// Err is why the machine stops of itself, if that is the reason.
	Drain struct {
		Term   uint64
		Reason Reason
		Err    error
	}
	// Expire says that the lease must not be used any more by the work of a term.
	Expire struct{ Term uint64 }
	// StateChanged tells of a change of state.
	StateChanged struct{ Transition }
	// LeaderChanged tells of a change of the tenure: a new leader, or none.
	LeaderChanged struct{ Leader election.LeaderRecord }
	// ConfigChanged tells of the config that stands, the first time and at every change.
	ConfigChanged struct{ Config fdbelection.Config }
	// Evicted tells whom this leader has removed.
	Evicted struct{ IDs []string }
	// IDInUse tells that another incarnation is registered under this id: this process
	// registers at Until, or before if the record goes away, and stops if it moves.
	IDInUse struct {
		Existing election.Candidate
		Until    time.Time
	}
	// HoldOff tells that the work has failed and that this process claims nothing for
	// a while. Failures counts the tenures in a row that ended so.
	HoldOff struct {
		Failures int
		For      time.Duration
	}
	// Report tells of a failure, once per change. If Kind is zero it is about the seat,
	// and nil says that this works again. Otherwise a watch or a chore has failed.
	Report struct {
		Kind Kind
		Err  error
	}
	// Wake asks for a Tick at an instant of the local clock, in place of the last
	// one that was asked for.
	Wake struct{ At time.Time }
	// Finish ends everything. Err is why the machine stopped of itself, or could
	// not leave.
	Finish struct{ Err error }
)

func (StartOperation) action()  {}
func (CancelOperation) action() {}
func (Lead) action()            {}
func (Drain) action()           {}
func (Expire) action()          {}
func (StateChanged) action()    {}
func (LeaderChanged) action()   {}
func (ConfigChanged) action()   {}
func (Evicted) action()         {}
func (IDInUse) action()         {}
func (HoldOff) action()         {}
func (Report) action()          {}
func (Wake) action()            {}
func (Finish) action()          {}

// Kind is what an operation does.
type Kind int

const (
	// Register makes the election where it is not there, and enters the candidate. If
	// another incarnation is registered under the id it returns that one instead, or
	// ErrDuplicateID if that one is alive.
	Register Kind = iota + 1
	// Rejoin is Register after an eviction: a newer process of the same id goes
	// first.
	Rejoin
	// ReadLeader reads the seat.
	ReadLeader
	// Heartbeat writes the heartbeat, and nothing about the seat.
	Heartbeat
	// ElectionCycle runs an election cycle.
	ElectionCycle
	// Settle ends the uncertainty about an earlier attempt.
	Settle
	// Resign gives up the seat of a tenure that is over here.
	Resign
	// HandOver hands the seat to whom an intent names.
	HandOver
	// Unregister gives up the seat and removes the candidate.
	Unregister
	// List reads the candidates: all, or the first by rank.
	List
	// Evict removes candidates that were seen not to move.
	Evict
	// WatchTerm arms the watch of the tenure, and reads the seat.
	WatchTerm
	// WatchRequest arms the watch of what is asked of the leader, and reads the
	// seat.
	WatchRequest
)

var kindNames = map[Kind]string{
	Register: "register", Rejoin: "register again", ReadLeader: "read the seat", Heartbeat: "heartbeat",
	ElectionCycle: "election cycle", Settle: "settle an earlier attempt", Resign: "resign", HandOver: "hand over",
	Unregister: "leave", List: "list the candidates", Evict: "evict dead candidates",
	WatchTerm: "watch the tenure", WatchRequest: "watch the intents",
}

// Watches reports whether an operation of this kind arms a watch.
func (k Kind) Watches() bool { return k == WatchTerm || k == WatchRequest }

// String says what an operation of this kind does.
func (k Kind) String() string { return kindNames[k] }

// Operation is one piece of work on the database, in transactions of its own.
// All that names it is fixed here, so that it can be run again.
type Operation struct {
	// ID tells operations apart: no two of a machine have the same.
	ID   uint64
	Kind Kind
	// Limit is how long the operation may take; the arming, where it is a watch.
	Limit time.Duration
	// Me is the candidate as it is to be written.
	Me election.Registration
	// Config makes the election, where it is not there; its LeaseDuration is zero
	// where it must be there.
	Config fdbelection.Config
	// Existing is what the process has seen last of another incarnation under its id,
	// and TakeOver says that it has watched that one for long enough to replace it,
	// unless it has moved.
	Existing *election.ExistingCandidate
	TakeOver bool
	// Token is the tenure that is renewed or given up; its Term is zero in the
	// cycle of a process that leads nothing.
	Token election.Token
	// Request is what Yield obeys.
	Request election.Request
	// Observation is what the process has seen of the seat.
	Observation election.Observation
	// EndedTerm, Abstain and NoPreempt are the options of a cycle.
	EndedTerm          uint64
	Abstain, NoPreempt bool
	// Known is the tenure whose holder's record is known already: of another one
	// it is read with the seat.
	Known election.Token
	// LeaderKnown says that the seat was known at all: tenures since that of Known are
	// told of as well.
	LeaderKnown bool
	// First is how many candidates a List reads from the beginning of the rank index, and
	// zero for all. Also are ids whose records it reads beside these.
	First int
	Also  []string
	// Members are the records to evict.
	Members []election.Candidate
}
