// Package elector is the loop that a process runs to take part in an election. It
// campaigns, leads, stops in time and hands over. The protocol itself is in package
// election.
//
//	el, err := elector.New(db, election.New(subspace.New("billing")), elector.Options{})
//	if err != nil {
//		return err
//	}
//	return el.Run(ctx, func(ctx context.Context, lead *elector.Leadership) error {
//		for ctx.Err() == nil { // ends before another process leads
//			err := lead.Transact(ctx, func(tr kv.Transaction) error {
//				return settleOnePayment(tr) // commits only in the newest term
//			})
//			if err != nil {
//				return err // leadership is released, and this process claims none for at least one lease
//			}
//		}
//		return nil // leadership is released now
//	})
//
// There are four ways to use an elector:
//
//   - Run is for work that needs leadership. It starts and stops the work with each tenure
//     and waits for it. RunCallbacks is Run for the callbacks of Kubernetes client-go.
//   - Start campaigns in the background. Leading, IsLeader and Callbacks tell who leads.
//   - Campaign waits for one tenure. The caller resigns it.
//   - Subscribe only tells who leads. WaitLeader waits for one answer.
//
// Most programs need New, Run, Leadership.Transact, Elector.Leading, Elector.Leader and Stop.
//
// Three calls tell whether this process leads. All compare the process clock at the call:
//
//   - Elector.Leading is for any part of the program. It covers every tenure of the elector.
//   - Elector.IsLeader is the same as an error, in the form that gocron calls.
//   - Leadership.Leads is for work that has a Leadership. It covers only that tenure.
//
// State.Leads says only whether a state is that of a leader.
//
// # Why it is safe
//
// The database is authoritative. A tenure is what the term record says. Each tenure has a
// number, the term, which rises with each tenure and never falls. A transaction that calls
// Leadership.Fence, as Leadership.Transact does, commits only while its tenure is the
// newest one. This does not depend on any clock or on how processes are scheduled.
//
// Everything else in this package decides who may try to lead, and when to stop. A leader
// counts the lease from the start of its last acknowledged attempt, and subtracts the
// margin of the config. That is the end deadline, at which Leadership.LeaseContext ends.
// Leading and Leadership.Context end at the stop deadline, up to a fifth of the lease earlier,
// so that the work has time to stop. If an attempt with a shorter lease may still arrive, both
// deadlines move before its commit is sent. Each check compares the process clock at the
// call. On Linux that clock counts the time for which the machine was suspended.
//
// A candidate takes over an expired leadership after it has seen the same ballot for the
// whole lease on its own clock. So two processes do not lead at the same time as long as
// their clocks drift apart by less than the margin within one lease.
//
// What is not guaranteed:
//
//   - After preemption at once (a grace of zero), a forced resignation or an expiry by clock
//     while clocks disagree, the replaced leader finds that it leads until its watch fires,
//     typically for milliseconds, and at the latest until its own deadline. The same applies
//     after RaiseTerm. Only the fence covers this time.
//   - Work that ignores the end of its context goes on. So does an effect outside the
//     database, such as a request that is under way. Pass Leadership.Term to systems that
//     can compare it.
//   - A transaction that writes nothing is not fenced. What it reads may be out of date.
//
// See package fdbelection for the promises in full.
//
// # States
//
// The state of a process, as Elector.State and Callbacks.OnTransition report it:
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
// The aim of a process is to campaign, to stand by, or only to subscribe. A process that only
// subscribes is in the state observer.
//
// A claim that is acknowledged after its renewal was overdue begins in jeopardy. After the
// stop deadline it does not begin a tenure. Abandon stops from every state.
//
// A tenure ends in stages. In the first one the process leads. After that it is a
// candidate, or a follower if another process leads:
//
//	          told to stop            use of the lease ends        work returned
//	leading ---------------> draining ---------------------> over --------------> none
//	   |                                                       ^
//	   +-------------------------------------------------------+
//	          leadership lost, or the work has returned
//
// The work is told to stop when the stop deadline passes, a request stands, the role changes,
// the process is not ready any more, the election is disabled, or the elector stops. While it
// drains, the lease is still renewed, unless the election is disabled. The use of the lease
// ends when the work has returned, at the end deadline, or at the drain limit. The process
// then hands over, resigns or unregisters. It claims nothing before the work has returned.
//
// # What fails how
//
//   - The store does not answer: the loop retries with back-off for as long as the program
//     wants. A leader stops in time. A candidate continues as soon as there is an answer.
//   - The store is away for longer than the lease: the leader stops in time. When the store
//     is back it claims at once, and the other candidates give it a head start
//     (Options.HeadStart), so that it stays the leader. A candidate whose own operations the
//     store has answered takes over after the lease. So does one that may preempt the leader.
//   - A watch fails, for example because too many are outstanding: changes are noticed by
//     polling, and the watch is armed again after a back-off of up to five minutes. The
//     electors of one process share one watch per key if they use the same kv.Database.
//   - The result of a commit is unknown: the attempt counts against the deadlines, and
//     nothing is concluded before a later transaction has settled it.
//   - The election does not exist: it is created with Options.Config. With MustExist the
//     elector waits for it. The same happens if its records are removed while it runs. The
//     former leader stops in time.
//   - The election is disabled: the work of the leader stops at the end of its lease at the
//     latest, and leadership is released. Candidates stay registered and do not claim. When
//     the election is enabled, the first of them leads.
//   - The config changes: every process has it within one heartbeat interval. A renewal that
//     writes a shorter lease shortens the deadlines before it is committed.
//   - The work of a leader fails: the process releases leadership and holds off, for one
//     lease after the first failure and for twice as long after each further one in a row,
//     up to 32 leases. So a process of high priority does not take leadership back for ever.
//   - A process is not ready (Options.Ready): it stays listed, and others lead. If it leads,
//     its work is told to stop. It resigns when the work has returned, and holds off as after
//     failed work. If no candidate is ready, there is no leader, unless
//     Options.LeadUnreadyAfter is set.
//   - A process starts with a higher priority than the leader's: it requests leadership
//     after it has been registered for the preempt delay of the config. It claims a vacant
//     leadership without that delay.
//   - A candidate dies: the leader evicts it after it has seen its record unchanged for the
//     candidate timeout. If there is no leader, for example because the election is
//     disabled, the first live voter by rank that is ready does that.
//   - The candidate is evicted: it registers again by itself. A leader does so with its next
//     renewal and goes on leading.
//   - A process starts under the id of another one: it does not register and watches the
//     record. If the record changes twice, it stops with ErrDuplicateID, and the history
//     names both. One change may be a late commit of a process that has crashed. It takes
//     over the id after the candidate timeout without a change, or when the lease of the
//     other one runs out. So a lone process that is restarted after a crash leads one lease
//     after its first read. A process that was cut off for so long finds its id taken over
//     and stops with ErrDuplicateID.
//   - A record cannot be read: the error (ErrInvalidState) names its key. It is not
//     overwritten, and the read is retried. Only the term record is written again, by the
//     next tenure.
//
// # Handing over
//
// Leadership may be given up although it could continue: after Stop, a resign or transfer
// request, a preemption request, a disabled election, or work that returned. The context of
// the work ends first. The lease is renewed until the work and the callbacks that report the
// loss have returned, or their time is over. Only then is leadership released. A watch
// informs the successor within milliseconds. If a request has become void meanwhile, because
// its author has died or was demoted, the candidates campaign for the leadership.
//
// A process that is replaced by a new one, for example in a deployment, names that with
// StopAndHandOver. Leadership then passes to it in one transaction and is never vacant. The
// new process needs an id of its own, because the old one is still alive under its id.
//
// Candidates claim a vacant leadership one after the other in the order of their rank, and
// the last leader comes last. Candidates after the first 8 come after those in random order,
// because they do not know how many there are. After an expiry each candidate counts from
// when it saw the last renewal, so neighbours may change places.
//
// # What is reported
//
// A call returns its own errors. All other errors are in Elector.Errors, each once per
// change, and each is also a warning in Options.Logger:
//
//	error                  log message                               callback
//	of the store           store error, watch failed                 OnStoreError
//	*CallbackError         callback failed
//	*WorkError             work failed
//	*UnfinishedWorkError   work may still run after its lease
//	*PanicError of Ready   readiness check failed
//	of the elector         stopped with an error
//	of Subscribe           cannot subscribe
//
// The error of the elector is why it stopped by itself, a *LeaveError or a *HandOverError. A
// later call of Stop returns it too. "watch failed" is logged at most twice an hour for each
// kind, because polling takes its place. OnStoreError is called with nil, and the log says
// "store available again", when an operation succeeds after an error.
//
// Other records are not about errors. They are "state changed" (OnTransition and the
// callbacks of the states), "leader changed" (OnNewLeader, OnLeadershipChange, Subscribe),
// "metadata of the leader changed" (OnLeadershipChange, Subscribe), "config", "evicted
// candidates", "ready", "claim delayed", "another process is registered under this id,
// waiting to see whether it is alive", and the warnings "not ready", "holding off after a
// failed tenure" and "stored config differs from the config of this process". A loss of
// leadership is a warning unless the program of this process decided on it. OnCandidatesChange has
// no record.
//
// # Traces
//
// With Options.Tracer, each claim, each change of state and each hand-over is a span, and
// the span of a leader that hands over to a challenger links to that of the challenger. The
// module tracing makes a Tracer for OpenTelemetry.
//
// # Probes
//
// Elector.Health is for a liveness probe of any role. It fails if a part of the elector is
// stuck, if a leader cannot renew, and if the elector has stopped by itself. A healthy standby is
// healthy, also while the store does not answer. It answers at once, even if the loop hangs.
//
// # The parts
//
// Package internal/machine plans what to try and when, and package internal/executor runs the
// transactions. In each of them package election decides (election/decide.go). This package
// owns the goroutines, timers and watches between them: one goroutine for each running
// operation or watch, at most four, five with OnCandidatesChange, one for Options.Ready,
// and one or two while callbacks are pending.
package elector
