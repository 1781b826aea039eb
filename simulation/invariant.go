package simulation

import "strconv"

// Invariant is something that holds in every run. The numbers are those of
// docs/simulation.md.
type Invariant int

// The invariants.
const (
	Ballot          Invariant = iota + 1 // every write of the leader record raises the ballot by one
	OneHolder                            // one holder per ballot and per term, for ever
	Transition                           // every change of the seat is a legal step of the protocol
	Fence                                // fenced writes commit under the newest term only, inside and outside
	Takeover                             // a seat is taken only where it is vacant, expired or preempted
	Preemption                           // only a strictly higher priority preempts, where the config allows it
	Renewal                              // nobody but the holder renews
	Resignation                          // nobody but the holder gives a seat up, in the exact term
	Deadline                             // belief ends before the lease can be over for anybody else
	Exclusion                            // no two processes find themselves leading at one time
	Candidates                           // no candidate is lost, or evicted while it is alive
	Stamp                                // the versionstamp is the registration's commit
	Voter                                // the holder is a registered voter, and observers never lead
	OneConfig                            // one version of the config per decision
	OwnWrites                            // who does not change the seat writes its own record only
	Outcome                              // an acknowledged act is in the log, one that failed is not
	Linearizable                         // the seat is a linearizable register
	ReadAfterCommit                      // what begins after a commit sees it
	Observers                            // every process sees the terms in order
	Liveness                             // without faults the highest priority leads
	Ownership                            // a caller's transaction is its own
	Bounds                               // writes stay inside the subspace, and are bounded
	Callbacks                            // every enter has its leave, in order
	Determinism                          // a seed gives one run
	NamedTerm                            // a request acts on the term that it names
	Settled                              // no conclusion before a settling commit, and nothing after the end
	HotLoop                              // nothing goes round and round without time passing
	invariantEnd
)

var invariantNames = [...]string{
	Ballot: "ballot", OneHolder: "one holder", Transition: "transition", Fence: "fence", Takeover: "take-over",
	Preemption: "preemption", Renewal: "renewal", Resignation: "resignation", Deadline: "belief", Exclusion: "exclusion",
	Candidates: "candidates", Stamp: "stamp", Voter: "voter", OneConfig: "one config", OwnWrites: "own writes",
	Outcome: "outcome", Linearizable: "linearizable", ReadAfterCommit: "sight", Observers: "observers", Liveness: "liveness",
	Ownership: "ownership", Bounds: "bounds", Callbacks: "callbacks", Determinism: "determinism", NamedTerm: "named term",
	Settled: "settled", HotLoop: "hot loop",
}

// String returns the number and the name.
func (i Invariant) String() string {
	if i <= 0 || i >= invariantEnd {
		return "unknown"
	}
	return strconv.Itoa(int(i)) + " (" + invariantNames[i] + ")"
}
