// Package memkv is an in-memory engine for tests, simulations and demonstrations.
// It has FoundationDB's transaction semantics: multi-version reads, optimistic
// conflict detection, versions that follow a clock, versionstamps, watches and
// error codes. The data is lost when the process ends.
//
// New opens an empty database:
//
//	db := memkv.New(memkv.Options{})
//
// # Fault injection
//
// Time and randomness are injected through Options. Hooks intercept every call of a
// client: they can delay it, reorder it, replace its result, or let a commit be
// applied after its client has given up. NewClient gives each simulated process its
// own name and clock. The commit log shows what was applied.
//
// A database starts no goroutine. Reads, commits and the firing of watches happen
// on the caller's goroutine, so a deterministic scheduler can run many clients on
// one thread. There is one exception: if a transaction has a time limit and a hook
// waits on its context, a goroutine waits for the limit with Options.Sleep.
//
// # Fidelity
//
// The tests of this package replay histories that were recorded from FoundationDB
// 7.3.79, and expect the same results.
package memkv
