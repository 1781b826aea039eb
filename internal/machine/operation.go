package machine

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
)

// Kind is what an operation does.
type Kind int

const (
	// Register creates the election if it does not exist, and registers the candidate. If
	// another incarnation is registered under the id, it returns that one, or
	// ErrDuplicateID if that one is alive.
	Register Kind = iota + 1
	// Rejoin registers again after an eviction. If another incarnation has registered
	// under the id meanwhile, it returns ErrDuplicateID.
	Rejoin
	// ReadLeader reads the status.
	ReadLeader
	// Heartbeat writes a heartbeat and nothing else.
	Heartbeat
	// ElectionCycle runs an election cycle.
	ElectionCycle
	// Settle settles an unsettled attempt, and reads the status.
	Settle
	// Resign resigns from a tenure that is over.
	Resign
	// HandOver hands over to the candidate that a request names.
	HandOver
	// Unregister resigns, or hands over to a successor, and removes the candidate.
	Unregister
	// List reads all candidates, or the shortlist.
	List
	// Evict removes candidates that have timed out.
	Evict
	// WatchTerm arms the watch of the leader notice. It reads the status and the candidate
	// record of the leader, even if that is known.
	WatchTerm
	// WatchRequest arms the watch of the request, and reads the status.
	WatchRequest
	// WatchCandidates arms the watch of the candidates notice, and reads all candidates.
	WatchCandidates
)

var kindNames = map[Kind]string{
	Register: "register", Rejoin: "register again", ReadLeader: "read the leader record", Heartbeat: "heartbeat",
	ElectionCycle: "election cycle", Settle: "settle an earlier attempt", Resign: "resign", HandOver: "hand over",
	Unregister: "unregister", List: "list the candidates", Evict: "evict candidates",
	WatchTerm: "watch the leadership", WatchRequest: "watch the request", WatchCandidates: "watch the candidates",
}

// Watches reports whether an operation of this kind arms a watch.
func (k Kind) Watches() bool { return k == WatchTerm || k == WatchRequest || k == WatchCandidates }

// String says what an operation of this kind does.
func (k Kind) String() string { return kindNames[k] }

// Operation is one piece of work on the database, in its own transactions. Its fields do
// not change, so that it can be retried.
type Operation struct {
	// ID is unique within a machine.
	ID   uint64
	Kind Kind
	// Limit is how long the operation may take. For a watch it is how long it may take
	// until the watch is armed.
	Limit time.Duration
	// Me is the registration to write.
	Me election.Registration
	// Config creates the election if it does not exist. If its LeaseDuration is zero, the
	// election must exist.
	Config fdbelection.Config
	// Existing is another incarnation under the same id, as this process has seen it last.
	// ExistingChanged says that its record has changed since this process first read it, so
	// that another change shows that it is alive. TakeOver says that it has been seen
	// unchanged for long enough to be replaced.
	Existing        *election.ExistingCandidate
	ExistingChanged bool
	TakeOver        bool
	// Token is the tenure that is renewed or released. Its Term is zero in the cycle of a
	// process that does not lead.
	Token election.Token
	// Request is the request that HandOver meets.
	Request election.Request
	// Observation is what the process has seen of the leader record.
	Observation election.Observation
	// EndedTerm, Abstain and NoPreempt are the options of a cycle.
	EndedTerm          uint64
	Abstain, NoPreempt bool
	LeadUnready        time.Duration
	// Known is the tenure whose holder's candidate record is known already. For any other
	// tenure that record is read as well.
	Known election.Token
	// LeaderKnown says that the leader record was read before. Then the tenures since
	// Known are read as well.
	LeaderKnown bool
	// First is how many voters of the shortlist a List reads; zero: all candidates. Also
	// are ids whose records it reads in addition.
	First int
	Also  []string
	// Members are the records to evict. An Unregister does not hand over to them while they
	// are unchanged.
	Members []election.Candidate
	// Succession is the hand-over with which an Unregister gives up the tenure of Token. If
	// its To is empty, Unregister resigns.
	Succession Succession
}
