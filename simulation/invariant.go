package simulation

import "strconv"

// Invariant is a rule that holds in every run. docs/simulation.md numbers the invariants.
type Invariant int

// The invariants.
const (
	invBallot          Invariant = iota + 1 // every write of the leader record raises the ballot by one
	invOneHolder                            // one holder per term, for ever
	invTransition                           // every change of leadership is a legal step of the protocol
	invFence                                // fenced writes are accepted under the newest term only
	invTakeover                             // leadership is claimed only if it is vacant, expired, preempted or one's own
	invPreemption                           // only a strictly higher priority preempts, if the config allows it
	invRenewal                              // only the holder renews
	invResignation                          // only the holder resigns or hands over, in the named term
	invDeadline                             // a leader stops before its lease can be expired for others
	invExclusion                            // no two processes lead at the same time
	invCandidates                           // no candidate is lost, or evicted while it is alive
	invStamp                                // the versionstamp is that of the registration
	invVoter                                // the holder is a registered voter, and observers never lead
	invOneConfig                            // a decision rests on one version of the config
	invOwnWrites                            // a process that does not change leadership writes its own record only
	invOutcome                              // an acknowledged write is in the log, a failed one is not
	invLinearizable                         // the leader record is a linearizable register
	invReadAfterCommit                      // an operation that begins after a commit sees it
	invObservers                            // every process sees the terms in order
	invLiveness                             // without faults the highest priority leads
	invOwnership                            // the election does not commit, retry or configure a caller's transaction
	invBounds                               // writes stay inside the subspace and are limited
	invCallbacks                            // each tenure is entered and left once, in order
	invDeterminism                          // a seed gives one run
	invNamedTerm                            // a request acts on the term that it names
	invSettled                              // nothing is concluded before an unsettled attempt is settled
	invHotLoop                              // no endless work without time passing
	invReadiness                            // leadership is not handed to a candidate that is not ready, and without faults the leader is ready
	invNotice                               // watches fire at every change, and at nothing else
	invSameLeader                           // after an outage, the last leader leads again
	invHeadStart                            // a head start delays nothing for longer
	invSuccession                           // a process that leaves with a successor hands over to it, without a vacancy

	// Of groups.
	invGroupTerms    // per shard and term one leader, and terms only grow
	invGroupFence    // fenced writes commit under the newest tenure of their shard only
	invGroupBelief   // no two processes use the lease of one shard at a time
	invGroupSession  // an incarnation joins once, and a session that has ended writes nothing
	invGroupEviction // only a heartbeat that stood still for its lease is evicted
	invGroupOwner    // the record of a shard is changed by its leader only, while its session lives
	invGroupClaim    // shards go to members that may receive them
	invGroupWork     // work is started once, and given up after it has returned
	invGroupLog      // each change is in the log, and each operation writes its own records only
	invGroupMirror   // a mirror that has caught up equals the database
	invGroupProgress // in calm every shard is led
	invGroupBalance  // shards move as the plan says, and no others
	invGroupCalm     // in calm only heartbeats are written
	invGroupOutage   // after an outage that all survived nothing moves
	invGroupOutcome  // an acknowledged write is in the log, a failed one is not
	invEnd
)

var invariantNames = [...]string{
	invBallot: "ballot", invOneHolder: "one holder", invTransition: "transition", invFence: "fence", invTakeover: "takeover",
	invPreemption: "preemption", invRenewal: "renewal", invResignation: "resignation", invDeadline: "deadline", invExclusion: "exclusion",
	invCandidates: "candidates", invStamp: "stamp", invVoter: "voter", invOneConfig: "one config", invOwnWrites: "own writes",
	invOutcome: "outcome", invLinearizable: "linearizable", invReadAfterCommit: "read after commit", invObservers: "observers", invLiveness: "liveness",
	invOwnership: "ownership", invBounds: "bounds", invCallbacks: "callbacks", invDeterminism: "determinism", invNamedTerm: "named term",
	invSettled: "settled", invHotLoop: "hot loop", invReadiness: "readiness", invNotice: "notices",
	invSameLeader: "same leader", invHeadStart: "head start", invSuccession: "succession",
	invGroupTerms: "terms of shards", invGroupFence: "fence of shards", invGroupBelief: "belief", invGroupSession: "sessions",
	invGroupEviction: "eviction", invGroupOwner: "owner", invGroupClaim: "claims of shards", invGroupWork: "work", invGroupLog: "log",
	invGroupMirror: "mirror", invGroupProgress: "progress", invGroupBalance: "balance", invGroupCalm: "calm",
	invGroupOutage: "outage of a group", invGroupOutcome: "outcome in a group",
}

// String returns the number and the name.
func (i Invariant) String() string {
	if i <= 0 || i >= invEnd {
		return "unknown"
	}
	return strconv.Itoa(int(i)) + " (" + invariantNames[i] + ")"
}
