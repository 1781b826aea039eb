// Package fdbelection holds the configuration of an election and the errors
// that all packages of the project share.
//
// The election itself is in these packages:
//
//   - election: the protocol, inside transactions that the caller runs
//   - elector: a loop that takes part in an election for one process
//   - kv: the interface to the database, with its engines below kv/
//   - subspace: keys and tuples in FoundationDB's encoding
//
// # Guarantees
//
// There are three levels, from the strongest to the weakest:
//
//   - One holder per term and per ballot, always: the holder never changes, and
//     both numbers only grow. This follows from the serializability of the
//     database.
//   - Fenced writes, always: a transaction that calls election.RequireLeadership
//     commits only while the caller's term is the newest. This does not depend on
//     any clock.
//   - Leadership checks, with expiry by observation: once a process has checked and
//     found that it leads, every earlier leader finds from then on that it does not
//     lead. This holds as long as their clocks drift apart by less than the margin
//     within one lease.
//
// The exceptions to the third level:
//
//   - After preemption at once (a grace of zero), a forced resignation, a raised term
//     or an expiry by clock while clocks disagree, the replaced leader may find that
//     it leads until its own lease ends.
//   - If the records of an election are deleted under a live leader, a process that
//     has never seen one of its ballots may claim leadership at once. The old leader
//     stops when its watch fires or at its next read. A process that has seen a
//     ballot waits for one lease first.
//
// If all records are deleted or a backup is restored, terms repeat until
// election.LeaderElection.RaiseTerm was called.
//
// Work that is done between two checks, outside a fenced transaction, is not
// guaranteed to be exclusive. It needs the fence, or a destination that compares
// terms.
//
// This package imports only the standard library.
package fdbelection
