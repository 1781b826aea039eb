// Package kv is the interface between an election and the database below it:
// ordered keys, serialisable optimistic transactions, versionstamps, watches and
// errors, with FoundationDB's semantics. It contains no vendor type.
//
// An engine implements Database. A function that takes a Transaction never commits,
// retries or sets options. The owner of the transaction does that, either through
// an OwnedTransaction or by calling Database.Transact.
//
// # Contexts
//
// A transaction is bound to the context it was created with, like an sql.Tx. When
// that context ends, every pending wait of the transaction fails with an Error that
// wraps the context's error. Functions that work inside a transaction therefore
// take no context of their own.
//
// # Futures
//
// Get and GetRange issue a read, and Future.Get waits for its result. All reads
// that are issued before the first wait are sent together, as one wave. A wave
// costs one round trip.
//
// # Errors
//
// Every error of an engine is an Error with one of FoundationDB's codes. After a
// failed commit, OutcomeOf reports what is known about its writes.
package kv
