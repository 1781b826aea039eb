// Package election is the protocol of a leader election that lives in one
// subspace of a FoundationDB database: one transaction at a time, inside
// transactions that the caller owns.
//
// # The records
//
// An election stores a config, a record for each candidate, a single leader
// record, a term record, at most one intent, a rank index and a short history.
// docs/format.md describes each byte.
//
//   - The ballot counts the writes of the leader record: every claim, renewal,
//     resignation and transfer raises it by one, and nothing ever lowers it.
//   - The term counts the tenures: it is the fencing token, and stands still
//     while one leader renews.
//   - The incarnation is a UUID for each start of a process: one that comes back
//     under its old id does not inherit its old leadership.
//
// # Inside your transaction
//
// Every function takes the caller's transaction, and neither commits it nor
// retries nor sets an option. Each is safe to run again after an unknown
// commit. Results are valid only once the transaction has committed. Functions
// check everything before they write anything, so that an error leaves the writes of
// the transaction as they were. (After ErrRegistrationPending the database refuses to
// commit.) Several calls may share a transaction: each sees what those before it
// wrote.
//
// The now that they take is the caller's own clock, read again in each attempt.
//
// # What a holder has to do
//
// A process that calls RunElectionCycle once per heartbeat, and nothing else, is a
// whole participant. It claims, renews, challenges a lower priority, and gives up when
// it is asked to. It keeps nothing between two cycles: what it has seen of the leader,
// and since when, stands in its candidate record. It has to
//
//   - lead only until CycleResult.ValidUntil of its last committed cycle. Work that
//     goes on longer needs RequireLeadership;
//   - stop at once if a cycle returns ErrNotInitialized or ErrUnregisteredCandidate: its
//     records are gone, and another process may lead;
//   - stop its work when the result is Asked: the grace of the config runs, and after
//     that a cycle hands over or resigns;
//   - pass WorkEnded once its work has stopped, if it does not want to wait for the end
//     of the grace;
//   - resign (ResignLeadership) or leave (UnregisterCandidate) when it stops.
//
// A process that keeps its own observation passes Observed, and then answers for all
// of this itself, as package elector does.
//
// # Which clock
//
// Expiry by observation, the default, compares readings of one clock only: that of
// the process that observes (WithClock). The default clock starts with the process, is
// never set, and on Linux counts the time that the machine was suspended. A caller's
// wall clock that steps changes only what it is shown, when it finds its own lease over,
// and for how long the minimum tenure protects its own tenure. A step forward lets it begin a new term early; a step back lets ValidUntil, if
// it is compared with the wall clock, end late. Compare it with time.Now of the same
// process, whose monotonic reading does not step.
//
// # Who conflicts with whom
//
// A cycle that changes nothing but its own candidate record reads the leader
// and the config by snapshot, so followers conflict neither with the leader
// nor with each other. A renewal rewrites the leader record only; fenced work
// reads the term record only, which changes with the tenure. So heartbeats
// never conflict with work, and a change of tenure always does. Reads for
// monitoring are snapshot reads, whatever transaction they are given.
//
// # Records that cannot be read
//
// A record that is damaged, or that a newer program has written, costs what it
// describes and nothing else. Functions that need it return an InvalidStateError that
// names the key; others pass over it and say so (CycleResult.Unreadable,
// State.Unreadable). Nothing overwrites it but what docs/format.md names. Repair mends
// what can be mended.
//
// # Who may trust what
//
// The database orders every change of the leadership, so a ballot and a term have
// one holder each, for ever. RequireLeadership makes a commit depend on the
// term: fenced writes need no clock. What a process believes between two
// transactions rests on its own clock, from the start of the attempt that
// wrote the lease to its end less a margin, and on nothing else. A read-only
// transaction, and work outside of any, is not fenced.
package election
