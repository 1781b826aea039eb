// Package membership is the loop of a process in one group, as a state machine. Step handles
// one event at one time and returns the actions to perform. It does no I/O, starts no
// goroutine and reads no clock. So a simulation runs exactly the code that a process runs.
// The rules are those of docs/group.md, cited by their numbers.
//
// Package group/member performs the actions for real processes. Package executor runs the
// operations as transactions.
//
// # How it works
//
// Each step handles one event and then plans. Planning starts every operation that is due and
// requests one wake-up for the next. Six operations may run at a time, one of each slot: the
// session (join, heartbeat, leave), the mirror, its watch, the look at the heartbeats of
// others, what is given (the member record and releases) and what is taken (evictions, claims,
// removals, trims). The machine concludes nothing from an operation before its answer.
//
// A shard is led if the mirror shows a tenure of the present session, the session is believed,
// and the tenure was not given up. The deadlines of the session count for all tenures, so a
// renewal costs the same for any number of shards.
//
// # A tenure
//
//	          told to stop             use of the lease ends           released, work returned
//	leading ---------------> draining ----------------------> over ------------------------> none
//	   ^                        |                               |
//	   +------------------------+-------------------------------+
//	      the session is believed again, the shard was read again, and the work has returned
//
// A tenure that was given up never goes back.
package membership
