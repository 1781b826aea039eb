// Package election is the protocol of a leader election on FoundationDB, or on any other
// store behind package kv. Every function works inside a transaction that the caller owns,
// except WaitLeader.
// Package elector runs the protocol as a loop, and most programs use that instead.
//
// # Functions by task
//
// Most callers need six: Initialize, RegisterCandidate, RunElectionCycle, RequireLeadership,
// UnregisterCandidate and ReadStatus.
//
//   - An election: New, Initialize, InitializeWithConfig, ReadConfig, WriteConfig.
//   - A candidate: RegisterCandidate, RejoinCandidate, HeartbeatCandidate,
//     UnregisterCandidate, RunElectionCycle, TryClaimLeadership.
//   - A leader: RequireLeadership, RefreshLease, ResignLeadership, TransferLeadership.
//   - An operator: RequestResign, RequestTransfer, CancelRequest, CancelAnyRequest,
//     ForceResign, RaiseTerm, Repair.
//   - Monitoring: ReadStatus, GetLeader, GetLeaderRaw, IsLeader, ReadRequest, History,
//     ListCandidates, GetCandidate, Shortlist, ListShortlist, Watch, WatchCandidates,
//     WatchRequest.
//   - Waiting for a leader: WaitLeader. A caller that reads by itself: Freshness.
//   - Removing dead candidates: EvictDeadCandidates, EvictUnchanged.
//   - A caller that keeps its own Observation, as package elector does: WithObservation,
//     EndedTerm, CanHandOver, HandOver, Settle, TakeOverCandidate, RecordDuplicate,
//     LeaseExpired.
//
// # Three ways to use it
//
// Take part. Register once, then run one cycle per heartbeat interval:
//
//	e := election.New(subspace.New("payments", "election"))
//	me := election.Registration{Identity: election.Identity{ID: "host-1", Incarnation: uuid.New()}}
//	err := db.Transact(ctx, func(tr kv.Transaction) error {
//		if _, err := e.Initialize(tr); err != nil {
//			return err
//		}
//		return e.RegisterCandidate(tr, me, time.Now())
//	})
//	result, err := kv.Transact(ctx, db, func(tr kv.Transaction) (election.CycleResult, error) {
//		return e.RunElectionCycle(tr, me, time.Now())
//	})
//	// After the commit, if result.Leads(), this process leads until result.ValidUntil.
//
// Write under leadership. The transaction commits only if no other tenure has begun:
//
//	token := result.Leader.Token()
//	err = db.Transact(ctx, func(tr kv.Transaction) error {
//		if err := e.RequireLeadership(tr, token); err != nil {
//			return err
//		}
//		tr.Set(key, value)
//		return nil
//	})
//
// Watch and steer, without being a candidate:
//
//	status, err := kv.ReadTransact(ctx, db, e.ReadStatus)
//	nonce := uuid.New()
//	err = db.Transact(ctx, func(tr kv.Transaction) error {
//		return e.RequestTransfer(tr, status.Leader.Term, "host-2", nonce)
//	})
//
// # The database decides
//
// An election stores a config, one record per candidate, a leader record, a term record, at
// most one request, a rank index and a short history. docs/format.md describes every byte.
// The leader record names the holder of leadership. The database orders all writes of it, so
// each ballot and each term has one holder.
//
// A function reads the records into a view in one wave of reads. What it does about the
// leadership is decided by the pure function decide (decide.go). All writes of the leader record
// are in leader_writes.go.
//
//   - The ballot counts the writes of the leader record. Every claim, renewal, resignation
//     and hand-over raises it by one. Restoring a lost leader record and RaiseTerm raise it
//     further.
//   - The term is the number of the tenure, and the fencing token. It does not change while
//     one leader renews.
//   - The nonce is a random UUID that names the tenure. A restored database can repeat a
//     term, but not a nonce.
//   - The incarnation is a UUID for one start of a process. A process that restarts under its
//     old id does not inherit its old leadership.
//   - The token is term, identity and nonce. RequireLeadership compares all of it.
//
// # How long a leader may lead
//
// Between two transactions, a leader has only its own clock. It may lead from its commit
// until ValidUntil, which is the start of the attempt plus the lease, less the margin. Other
// candidates claim only after they have seen the same ballot for a whole lease on their own
// clocks. They start to count after the leader did, so two processes do not lead at the same
// time, as long as the rates of their clocks differ by less than the margin.
//
// A process that calls RunElectionCycle
//
//   - leads only until the ValidUntil of its last committed cycle, and writes with
//     RequireLeadership if work may take longer;
//   - stops its work at once if a cycle returns ErrNotInitialized or
//     ErrUnregisteredCandidate, since its records are gone and another process may lead;
//   - stops its work if the result says MustHandOver. After the grace of the config, a cycle
//     hands over or resigns. WorkEnded makes the next cycle do so;
//   - calls ResignLeadership or UnregisterCandidate when it stops.
//
// # Inside your transaction
//
// A function neither commits the transaction, nor retries, nor sets options. Its result is
// true once the transaction has committed. It checks everything before the first write, so
// after an error the writes of the transaction are as before. The exception is
// ErrRegistrationPending, after which the transaction cannot commit. Several calls may share
// a transaction, and each sees the writes of the calls before it.
//
// Every function is safe to run again after an unknown result. Pass a new now in each
// attempt: it is the wall clock of the caller. Choose nonces outside of the closure.
//
// # Clocks
//
// By default, a lease expires by observation: only readings of one monotonic clock are
// compared, that of the process that observes (WithClock). If the wall clock of a caller
// steps, three things change: the times that are displayed, when the caller finds its own
// lease expired, and how long the minimum tenure protects it. A step forward makes it begin a
// new term early. ValidUntil is derived from the now of the caller. Compare it with time.Now
// of the same process, whose monotonic reading does not step.
//
// A config can choose expiry by clock. Then the wall clocks of all hosts must agree.
//
// # Who leads now
//
// A leader record that a process reads for the first time may be that of a leader that died
// long ago. A settled leader has accepted, and its lease is live: by observation, the process
// has read a lower ballot before, and that read began less than a lease ago (Freshness). By
// clock, the end of the lease has not passed. WaitLeader waits for a settled leader.
//
// # Errors
//
// The errors are those of package fdbelection, for errors.Is, and errors of the store. Each
// function lists those that it returns. The most important ones:
//
//   - ErrFenced, ErrNotLeader: the tenure of the token has ended. Stop the work.
//   - ErrDuplicateID: another process has registered under the id. Stop.
//   - ErrUnregisteredCandidate: the candidate was evicted. Call RejoinCandidate.
//   - ErrInvalidState: a record is damaged, or a newer program has written it. The error is
//     an InvalidStateError with the key. A function that does not need the record goes on and
//     reports it in an Unreadable field. Repair repairs damaged records.
//
// # Conflicts
//
// A follower's cycle writes only its own candidate record and reads the others by snapshot,
// so followers conflict neither with the leader nor with each other. A renewal writes the
// leader record, and a fenced transaction reads the term record, which changes only with the
// tenure. So heartbeats and renewals never conflict with work, and a change of the tenure
// always does. Reads for monitoring are snapshot reads.
//
// # What is not guaranteed
//
//   - A leader that is paused beyond ValidUntil may still do work outside the database. Only
//     a system that compares terms can refuse that work.
//   - A read-only transaction is not fenced, even with RequireLeadership.
//   - GetLeader and IsLeader compare clocks of two processes. They are for display.
//   - If the config has a preemption grace of zero, a candidate preempts at once. The old
//     leader may lead until its ValidUntil, but its fenced writes are refused.
//   - After ForceResign or RaiseTerm, the old leader may lead until its lease ends.
//   - A database that was restored from a backup repeats terms until RaiseTerm was called.
package election
