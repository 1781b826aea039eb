// Package fdbkv runs elections on FoundationDB, through Apple's Go binding.
//
// It is a module of its own, since the binding needs cgo and FoundationDB's
// client library (libfdb_c, 7.3 or later). It has no build tag and no setting.
//
// # In a transaction of your own
//
// A program that has its own transactions changes one line:
//
//	_, err := db.Transact(func(tr fdb.Transaction) (any, error) {
//		return el.RunElectionCycle(fdbkv.Wrap(tr), ...)
//	})
//
// The election's reads and writes are then part of that transaction. Its errors
// are kv.Errors with FoundationDB's code, and they unwrap to the fdb.Error: give
// them back from the function as they are, or wrapped with %w, and Transact
// retries what is to be retried.
//
// # As a kv.Database
//
// Open, FromDatabase and FromTenant return a Database, on which everything of
// this project runs. Its transactions end with their context: all that waits
// fails at once, with code 1025 and the context's error as its cause. A commit
// that was under way then may still land, and kv.OutcomeOf says so.
//
// FoundationDB's client waits for an unreachable cluster for ever. Give
// contexts an end, or set Options.Timeout; Ping is for start-up.
//
// # What must not be disabled
//
// An election relies on what FoundationDB does by default. In a transaction that
// it takes part in, and in the defaults of its database, never set
//
//   - SetReadYourWritesDisable or SetSnapshotRywDisable: an election reads again
//     what it wrote in the same transaction, and a watch cannot be registered
//     without (code 1034). It would decide on what is no longer so.
//   - SetBypassUnreadable or SetUsedDuringCommitProtectionDisable: reads that
//     have to fail would return something.
//   - SetUseGrvCache, SetCausalReadRisky or SetCausalWriteRisky: a transaction
//     could miss a commit that was acknowledged before it began.
//   - SetNextWriteNoWriteConflictRange: a write of the election that others do not
//     conflict with would let two candidates win.
//   - SetReadVersion to a version other than a recent one.
//
// None of these can be seen from outside of a transaction, so nothing here checks
// them.
//
// # Limits of the binding
//
// A wait for the binding blocks a goroutine, not a thread. A watch that somebody
// listens to costs a goroutine, too. Memory that the C library holds for a
// transaction is given back when Go's garbage collector finds the transaction.
package fdbkv
