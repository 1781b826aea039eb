// Package machine is the loop of a process in one election, as a state machine. Step takes an
// event and the time. It changes the machine and returns the actions to perform.
// It does no I/O, starts no goroutine and reads no clock. So a simulation runs exactly the
// code that a process runs, and a test can put a machine into any situation.
//
// Package elector performs the actions for real processes. Package executor runs the
// operations as transactions.
//
// # States
//
// A process reports one of six states:
//
//	                              +---------+
//	                +-------------| stopped |<--------------------------------+
//	                |             +---------+                                 |
//	     started as |                  | started as an observer,              |
//	        a voter |                  | or only to subscribe                 |
//	                |                  |                                      |
//	+-- does not lead -----------------|----------------------------------+   |
//	|               v                  +------------------+               |   |
//	|         +-----------+                               v               |   |
//	|         |           |   role or aim changed   +----------+          |   |
//	|         |           |<----------------------->|          |          |   |
//	|         |           |                         |          |          |   |
//	|         | candidate |                         | observer |          |---+
//	|         |           |  another                |          |          |  unregistered, or
//	|         |           |  candidate leads        |          |          |  leave limit passed
//	|         |           |----------+              +----------+          |
//	|         +-----------+          |                    ^               |
//	|               ^                v                    |               |
//	|               |          +----------+               |               |
//	|               +----------| follower |<--------------+               |
//	|         no leader known  +----------+   role or aim changed         |
//	+---------------------------------------------------------------------+
//	     |                                                     ^
//	     | candidate or follower:                              | drain (below):
//	     | claim or acceptance                                 | candidate, or follower if
//	     | acknowledged                                        | another candidate leads
//	     v                                                     |
//	+-- leads ------------------------------------------------------------+
//	|         +--------+       renewal overdue        +----------+        |
//	|         |        |----------------------------->|          |        |
//	|         | leader |                              | jeopardy |        |
//	|         |        |<-----------------------------|          |        |
//	|         +--------+     renewal acknowledged     +----------+        |
//	+---------------------------------------------------------------------+
//
// The state observer is that of a process with the role observer, or with the aim
// SubscribeOnly.
//
// A claim that is acknowledged after its renewal was overdue begins in jeopardy
// instead of leader. It does not begin at all after the stop deadline.
//
// # The drain
//
// The drain ends a tenure. The process does not lead any more, but its work may use
// the lease until the tenure is over:
//
//	          told to stop            use of the lease ends        work returned
//	leading ---------------> draining ---------------------> over --------------> none
//	   |                                                       ^
//	   +-------------------------------------------------------+
//	          leadership lost, or the work has returned
//
// The transitions in detail:
//
//   - told to stop: the stop deadline has passed, a request stands, the work is about to
//     return by itself, the role or aim has changed, the election is disabled, or the
//     process leaves (a call of Stop, or a fatal error). The lease is still renewed, unless
//     the election is disabled.
//   - use of the lease ends: the work has returned, the end deadline or the drain limit has
//     passed, or leadership is lost.
//   - over: if the drain limit has passed, the process hands over, resigns or unregisters
//     without waiting for the work. It claims nothing before the work has returned.
//   - none: the process hands over, resigns or unregisters if that has not happened yet, or
//     is a candidate again.
//
// # How it works
//
// Each step handles one event and then plans. Planning starts every operation that is due
// and requests one wake-up for the next. At most two operations run in addition to the
// watches. The main one registers, reads the leader, sends a heartbeat, runs a cycle,
// settles, hands over or leaves. The other one lists or evicts candidates. The machine
// concludes nothing from an operation before its answer.
//
// planFollower plans for a process without a tenure, and startClaim begins a claim.
// planLeader renews, and planLeaving unregisters.
//
// # Deadlines
//
// A tenure ends at the earliest deadline of the attempt that was acknowledged last and of
// every later attempt that may have committed. The deadlines of an attempt count from its
// start. The caller reports an attempt before its commit starts (CommitStarting), so the
// deadlines never rest on a commit whose result is unknown. See Deadlines.
//
// # Related work
//
// River's leadership package also counts trust from the start of an attempt and resigns
// from one term only. Kubernetes' leaderelection also judges a lease by the clock of the
// observer. Both go back to the work of Lamport, and of Gray and Cheriton, on leases.
package machine
