// Package kv is the contract between an election and the database below it:
// ordered keys, serialisable optimistic transactions, versionstamps, watches
// and errors, as FoundationDB has them. No vendor type appears in it.
//
// An engine implements Database. A function that takes a Transaction never
// commits, retries or sets an option: that is for the transaction's owner, who
// holds an OwnedTransaction or lets Database.Transact do it.
//
// # Contexts
//
// A transaction is bound to the context it was created with, as an sql.Tx is:
// when that context ends, every wait of the transaction ends with an Error
// whose cause is the context's. Functions that work inside a transaction
// therefore take no context of their own.
//
// # Futures
//
// A read is issued by Get or GetRange and awaited by Future.Get. Reads that
// are issued before the first of them is awaited travel together: one wave,
// one round trip.
package kv
