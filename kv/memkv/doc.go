// Package memkv is an in-memory engine with the transaction semantics of
// FoundationDB: multi-version reads, optimistic conflicts, read and commit
// versions that follow a clock, versionstamps, watches and error codes. It is
// for tests, simulations and demonstrations; nothing survives the process.
//
// Its judge is the real database: the test of this package replays histories
// that were recorded from FoundationDB 7.3.79, and expects the same answers.
//
// Time and randomness are injected through Options. With Hooks a simulator
// decides latency, order and faults of every call. An engine of this package
// starts no goroutine of its own: a read, a commit and a watch that fires all
// happen in a caller's goroutine, so that a deterministic scheduler can run
// many clients in one thread. (A transaction with a time limit whose hook
// waits on its context is the exception: a goroutine then sleeps until the
// limit, through Options.Sleep.)
package memkv
