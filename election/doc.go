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
//   - The incarnation is a UUID for each start of a contender: a process that
//     comes back under its old id is a stranger to its old seat.
//
// # Inside your transaction
//
// Every function takes the caller's transaction, and neither commits it nor
// retries nor sets an option. Each is safe to run again after an unknown
// commit. Nothing that one returns is true before the transaction commits: a
// result says what will stand if it does. Functions check everything before
// they write anything, so that an error leaves the writes of the transaction as
// they were. (After ErrRegistrationPending the database refuses to commit.)
// Several calls may share a transaction: each sees what those before it wrote.
//
// The now that they take is the caller's own clock, read afresh in each
// attempt.
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
// # Who may trust what
//
// The database orders every change of the seat, so a ballot and a term have
// one holder each, for ever. RequireLeadership makes a commit depend on the
// term: fenced writes need no clock. What a process believes between two
// transactions rests on its own clock, from the start of the attempt that
// wrote the lease to its end less a margin, and on nothing else. A read-only
// transaction, and work outside of any, is not fenced.
package election
