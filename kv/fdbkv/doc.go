// Package fdbkv runs elections on FoundationDB, through Apple's Go binding.
//
// It is a separate module, because the binding needs cgo and FoundationDB's client
// library (libfdb_c, 7.3 or later).
//
// # In your own transaction
//
// In a program with its own transactions, one line is enough:
//
//	_, err := db.Transact(func(tr fdb.Transaction) (any, error) {
//		return el.RunElectionCycle(fdbkv.Wrap(tr), ...)
//	})
//
// The election's reads and writes are then part of that transaction. Its errors are
// kv.Errors with FoundationDB's code, and they unwrap to the fdb.Error. Return them from
// the function unchanged or wrapped with %w, so that Transact can retry.
//
// # As a kv.Database
//
// Open, FromDatabase and FromTenant return a Database, which the other packages of this
// project use. When the context of a transaction ends, all of its waits fail immediately
// with code 1025 and the error of the context as the cause. If a commit was in progress,
// it may still happen, and kv.OutcomeOf of the error says so.
//
// FoundationDB's client waits for an unreachable cluster for ever. Use contexts with a
// deadline, or set Options.Timeout. At start-up, use Ping.
//
// # Options that must not be set
//
// An election relies on FoundationDB's default behavior. Never set these options in a
// transaction that it uses, or as defaults of its database:
//
//   - SetReadYourWritesDisable or SetSnapshotRywDisable: an election reads its own
//     writes in the same transaction, and would decide on old data. Watches would fail
//     with code 1034.
//   - SetBypassUnreadable or SetUsedDuringCommitProtectionDisable: reads that must fail
//     would succeed.
//   - SetUseGrvCache, SetCausalReadRisky or SetCausalWriteRisky: a transaction could
//     miss a commit that was acknowledged before it began.
//   - SetNextWriteNoWriteConflictRange: two candidates could win, because their writes
//     would not conflict.
//   - SetReadVersion with a version that is not recent.
//
// The package cannot check these options, because the binding does not report them.
//
// # Limits of the binding
//
// A wait blocks a goroutine but not a thread. A watch uses a goroutine after the first
// call of Done. The C library's memory of a transaction is released when Go's garbage
// collector finds the transaction.
package fdbkv
