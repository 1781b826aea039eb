// Package fdbelection holds what every part of the project shares: the
// configuration of an election and the errors that its functions return.
//
// The election itself lives in the packages around it:
//
//   - election: the protocol, one transaction at a time, inside transactions
//     that the caller owns;
//   - kv: the contract with the database, and its engines below kv/;
//   - subspace: keys and tuples, byte for byte as FoundationDB encodes them.
//
// # What is promised
//
// Three levels, from the strongest to the weakest:
//
//   - Record exclusion, always: a ballot and a term each have one holder, for
//     ever, and both only grow. The database's serialisability guarantees it.
//   - Fenced writes, always, for writers that use the fence: a transaction that
//     calls election.RequireLeadership commits only while the caller's term is
//     the newest. No clock takes part in it.
//   - Belief, by observation: the instants at which two processes check and
//     find themselves leading never interleave, as long as the rates of their
//     clocks differ by less than the margin. There are two stated exceptions. After
//     an immediate preemption, a forced removal or a take-over by clock, the
//     displaced leader may go on believing until its own lease ends. And if the
//     records of an election are removed under a live leader, a process that has
//     never seen a ballot of it may claim in a new one, until the old leader's watch
//     or next read tells it; a process that has seen one waits a lease first.
//
// What is not promised: that work done between two checks, outside a fenced
// transaction, is exclusive. It needs the fence, or a sink that compares terms.
//
// This package imports nothing but the standard library.
package fdbelection
