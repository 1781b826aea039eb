// Package filekv is a durable engine for the processes of one machine: a
// kv.Database in one file, on bbolt, with the transactions of FoundationDB.
// Processes share it by opening the same path; there is no server. It is for
// elections among the processes of a host, for development and for tests that
// must outlive a process. It is not for several hosts.
//
// # How it works
//
// The file holds the newest value of each key, and for five seconds of commits
// what each wrote to and what it replaced. So a transaction goes on reading at
// its version while others commit, and a commit is checked against all that
// came after that version.
//
// bbolt locks a file as long as it is open, and an open handle does not notice
// what others write. So the file is open only for one wave of reads or for one
// commit, which takes some tens of microseconds beside the work itself, and
// nothing is held between a transaction's reads and its commit. The processes
// queue for it on a lock file beside the store (name and ".lock"), which stays
// empty and is never removed.
//
// A commit wakes the processes that watch a key it changes, and no others. Each
// watched key has one of 256 signal files, in a directory beside the store (name
// and ".watch"). Watchers create the file, and a commit writes its version to it.
// The files hold nothing that is needed later: they may be removed while no
// process runs, and a copy of the store does not need them.
//
// # What is durable
//
// A commit that was acknowledged has been forced to the disk. bbolt writes new
// pages first and then the page that makes them count, each followed by a
// sync, so a commit is there as a whole or not at all, wherever the process is
// killed or the power fails (and as far as the disk keeps its word). A store
// is created under another name (".new") and gets its own when it is whole.
// The kernel takes away the locks of a process that dies, so there is nothing
// to clean up and nothing to wait for.
//
// Versions and versionstamps only grow: across processes and restarts, and
// when a clock is set back. They follow the clocks of the committing processes
// at a million a second. A read version sees every commit that any process had
// acknowledged before it was asked for. Between commits it stands still; a
// transaction is too old (1007) five seconds after its process got its read
// version all the same.
//
// # What is fair
//
// Processes are served in the order in which they asked, readers side by side,
// and so are the goroutines within one. Whoever waits can die at any place in
// the queue without holding up the others, and one that is stopped there
// (SIGSTOP, a debugger) is passed over after a tenth of a second. That holds on
// Linux. Other systems, and sandboxes without open file description locks, have
// the same safety, but whoever happens to try first comes first.
//
// # How many processes
//
// Use one store for up to 100 processes. With the default lease of 10 s, a process
// that runs a candidate costs about 1 ms of processor time a second, however many
// there are: 50 processes took 5.2 % of one core over ten minutes and 100 took
// 7.9 %, on a machine whose two cores other programs kept busy (load average 12 to
// 15), and none lost its leadership. "make crowd" measures it. The cost grows with
// the commits of a process, and so with 1/lease: 50 processes with a lease of 2 s
// took 12 %.
//
// Linux gives a user 128 inotify instances by default, and a process takes one. A
// process that gets none reads its signal files every 10 ms instead, which costs
// about 1 % of a core: 50 such processes took 54 %. For more processes, raise
// fs.inotify.max_user_instances.
//
// # What an error says
//
// A context ends every wait. If nothing had been written by then the error says
// so: its outcome is kv.NotCommitted, and that is certain. Once a commit is being
// written it gets 25 ms more to answer; after that the outcome is kv.Unsettled,
// and the write may still become durable. It is not given up: the next
// transaction of any process waits for it.
//
// A disk that fails answers with code 1510 and the cause. The outcome is
// kv.NotCommitted where the commit is surely not there, as when the disk was full,
// and kv.Unsettled where it can be seen but the disk has not confirmed it.
//
// A file that is no store, was written by a newer program, contradicts itself,
// or was replaced while it was open is left as it is. Open walks over all
// pages and checks what leads from one to the other. If bbolt or the memory it
// maps fails later all the same, the operation ends with an error, never the
// process, and the DB refuses to go on; open it anew after repair.
//
// # What is not promised
//
//   - Values have no checksum: a bit that flips within one goes unnoticed.
//   - A process that is stopped exactly while it reads or writes holds up all
//     others until it goes on or dies, since it holds the file's lock. That is
//     a millisecond of each commit.
//   - Network file systems: locks and mapped memory do not agree between hosts,
//     and two hosts must never share a file. Nothing recognises that.
//   - Speed: a commit costs two syncs of the disk, and commits do not overlap.
//   - Watches: one may miss a change that was undone at once, as the contract
//     says. On Linux a signal arrives by inotify, within a millisecond or so. On
//     other systems, or if the user has no inotify instance left, the process
//     reads the signal files of its keys every 10 ms. If a signal is lost, the
//     watch fires within a second.
//   - A copy of the file is only good when nobody was writing. A store that is
//     put back to an older copy forgets what came later, versions included: for
//     an election that is a new beginning that fencing tokens do not notice.
//   - Windows: Open answers ErrUnsupported.
package filekv
