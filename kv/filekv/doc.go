// Package filekv is a durable kv.Database in one file, for the processes of one
// machine. Processes share a store by opening the same path. There is no server.
// Transactions have FoundationDB's semantics. Use it for elections among the processes
// of a host, for development, and for tests whose data must outlive a process.
//
// docs/filestore.md is the guide for users and operators: sizing, permissions, backup,
// repair, and which file systems work.
//
// # How it works
//
// The file is a bbolt file. It holds the newest value of each key. For the commits of
// the last five seconds, it also holds which keys they wrote and which values they
// replaced. So a transaction can read at its version while others commit, and a commit
// is checked against all later commits.
//
// bbolt locks a file while it is open, and an open handle does not see the writes of
// other processes. Therefore, a process opens the file for each batch of reads and for
// each commit. Opening it takes some tens of microseconds. Nothing is locked between
// the reads of a transaction and its commit. Processes queue on a lock file beside the
// store (name and ".lock"), which stays empty and is never removed.
//
// A commit wakes only the processes that watch a key that it changes. Each watched key
// has one of 256 signal files in a directory beside the store (name and ".watch").
// Watchers create the file, and commits write their version to it. The signal files
// hold no data that is needed later.
//
// # Durability
//
// An acknowledged commit is on the disk. bbolt writes and syncs the new pages first and
// then the meta page that refers to them. If the process or the machine fails at any
// time, the whole commit is in the file or nothing of it, provided that the disk honors
// syncs. A new store is written under a temporary name (".new") and renamed when it is
// complete. The kernel releases the locks of a process that dies, so there is nothing
// to clean up.
//
// Versions and versionstamps always grow, across processes and restarts, and even if a
// clock is set back. They follow the clocks of the committing processes, at a million
// per second. A read version includes every commit that any process had acknowledged
// before. The newest version does not change between commits, but a transaction is
// nevertheless too old (1007) five seconds after its process got its read version.
//
// # Fairness
//
// On Linux, processes get the lock in the order in which they asked for it. Readers can
// hold it together. The goroutines of a process are ordered in the same way. A waiting
// process can die without blocking the others. A waiting process that is stopped
// (SIGSTOP, a debugger) is skipped after 100 ms. Other systems, and sandboxes without
// open file description locks, are equally safe but have no order.
//
// # Errors
//
// Every wait ends with its context. If nothing was written by then, the outcome of the
// error is kv.NotCommitted. If the commit was already being written, it gets another
// 25 ms. After that, the outcome is kv.Unsettled and the write may still become
// durable. The next transaction of any process waits for it.
//
// If the disk fails, the error has code 1510 and the cause. The outcome is
// kv.NotCommitted if the commit is certainly not in the file, for example because the
// disk is full. It is kv.Unsettled if the commit is visible but the disk has not
// confirmed it.
//
// The package never changes a file that is not a store, that was written by a newer
// program, that is damaged, or that was replaced while it was open. Open checks the
// structure of all pages. If bbolt or its memory map fails later, the operation returns
// an error, the process continues, and the DB refuses further operations. Open the
// store again after the repair.
//
// # Limits
//
//   - Values have no checksum, so a flipped bit in a value is not detected.
//   - A process that is stopped while it reads or writes blocks all others until it
//     continues or dies, because it holds the lock of the file. A commit holds it for
//     about a millisecond.
//   - Hosts must never share a store over a network file system. Locks and memory maps
//     are not coherent between hosts, and the package cannot detect this.
//   - A commit needs two disk syncs, and commits do not overlap.
//   - A watch may miss a change that is immediately undone. On Linux, a signal arrives
//     by inotify within about a millisecond. On other systems, or if the user has no
//     inotify instance left, the process reads the signal files of its keys every
//     10 ms. If a signal is lost, the watch fires within a second.
//   - Copy the file only while no process writes to it. Restoring an older copy also
//     restores older versions and terms, so fencing tokens are no longer unique.
//   - On Windows, Open returns ErrUnsupported.
package filekv
