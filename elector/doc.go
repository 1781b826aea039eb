// Package elector is the loop that each process runs: it campaigns, leads, stops
// in time and hands over.
//
//	el, err := elector.New(db, election.New(subspace.New("billing")), elector.Options{})
//	...
//	err = el.Run(ctx, func(ctx context.Context, lead *elector.Leadership) error {
//		for ctx.Err() == nil {
//			err := db.Transact(ctx, func(tr kv.Transaction) error {
//				if err := lead.Fence(tr); err != nil {
//					return err
//				}
//				return settleOnePayment(tr)
//			})
//			...
//		}
//		return nil
//	})
//
// There are four ways in. Run is for work that leadership is needed for: it is begun
// and ended with each tenure, and waited for. Start campaigns in the background,
// for those who ask (IsLeader) or are told (Callbacks). Campaign waits for one
// tenure, and leaves it to the caller to give it up. Observe only tells who leads.
// RunCallbacks is Run for the callbacks of Kubernetes client-go.
//
// # Who is authoritative
//
// The database is: a tenure is what its term record says, and work that calls
// Leadership.Fence in its transaction commits only while its tenure is the newest.
// That holds whatever clocks and processes do. Everything else here is about who
// may try, and when to stop trying.
//
// # The window of trust
//
// A leader believes in its tenure until the start of the last attempt that was
// acknowledged, plus the lease that it wrote, less the margin of the config; an
// attempt that may still arrive, with a shorter lease, pulls that nearer before
// its commit is issued. IsLeader and the context of the work end before it, by a
// fifth of the lease, so that work has time to stop; Leadership.LeaseContext ends with
// it. Each compares the clock at the call, and on Linux that clock counts the
// time that the machine was suspended.
//
// A follower takes over after it has seen the same ballot stand for the whole
// lease on its own clock. So the instants at which two processes check and find
// themselves leading never interleave while the rates of their clocks differ by
// less than the margin: see the package fdbelection for what is promised, and
// what is not. After a take-over at once (a preemption without a grace, a
// take-over by clock) the displaced leader learns of it from its watch, typically
// within milliseconds, and by its own deadline at the latest; the fence covers the
// time between.
//
// # What fails how
//
//   - The database does not answer: everything is tried again, with back-off, for
//     as long as the process wants. A leader stops in time; a candidate goes on as
//     soon as there is an answer. Errors and the log say so once.
//   - A watch fails, because too many are outstanding, say: changes are noticed by
//     polling, and it is armed again after a back-off of up to five minutes. Electors of
//     one process share one watch per key if they use the same kv.Database. The log says
//     so twice an hour at most for each kind.
//   - The answer to a commit is lost: what it may have done counts against belief,
//     and nothing is concluded until a later transaction has settled it.
//   - The election is not initialised: it is made with Options.Config, or with
//     MustExist waited for. One whose records are removed while it runs is made
//     again likewise; the leader of before stops in time.
//   - The election is disabled: the leader's work stops, by the end of its lease at
//     the latest, and the seat is given up; candidates stay listed and do not claim.
//     When it is enabled again the first of them leads.
//   - The config is changed: everybody has it within a heartbeat. A shorter lease
//     shortens belief with the renewal that writes it, before that is committed.
//   - The work of a leader fails: it gives up the seat and holds off, for one lease
//     after the first failure and for twice as long after each one in a row, up to 32
//     leases, so that a preferred process does not take the leadership back for ever.
//     ClusterState and the log say so.
//   - A process starts with a higher priority than the leader's: it asks for the
//     leadership once it has been registered for the preempt delay of the config. A
//     vacant seat needs no delay.
//   - A candidate dies: the leader removes its record, once it has seen it unchanged
//     for the candidate timeout. While there is no leader, for example because the
//     election is disabled, the first live voter by rank does it.
//   - The candidate is evicted: it registers again by itself. A leader does so with
//     its next renewal, and goes on leading.
//   - A process starts under the id of another one: it registers nothing and watches.
//     If the record of the other one moves, it stops with ErrDuplicateID, and the
//     history names both. If the record stands still for the candidate timeout, or the
//     other one holds the seat and its lease runs out, the process takes over the id.
//     So a lone process that is started again after a crash leads one lease after its
//     first read, and one that has left in order is not waited for. A process that was
//     cut off for so long finds its id taken when it is back, and stops with
//     ErrDuplicateID.
//   - A record cannot be read: it is reported (ErrInvalidState names its key),
//     nothing is overwritten, and reading it is tried again.
//
// # Hand-over
//
// Where leadership is given up although it could go on (Stop, a request to resign
// or to transfer, a higher priority, a disabled election, work that returned of
// itself) the context of the work ends first; the lease is renewed until the work
// and the callbacks that tell of the loss have returned, or the time for it is
// over; only then is the seat given up. The successor is told by a watch, in
// milliseconds. A request or a challenge that has become void meanwhile, because
// its author died or was demoted, hands the leadership to no other candidate:
// they campaign for it again.
//
// At an open seat candidates go one after the other, in the order of their rank,
// the last leader at the end. Candidates beyond the first 8 come after those,
// in a random order, as they do not know how many there are. Where a lease has run out each counts
// from when it saw the last renewal, so that neighbours may change places there.
//
// # The parts
//
// Package machine decides, package executor does the transactions, and this
// package owns the goroutines, timers and watches between them: one goroutine for
// each operation or watch under way, at most four, and one or two while there are
// callbacks to call.
package elector
