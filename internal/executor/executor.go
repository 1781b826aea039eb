package executor

import (
	"context"
	"errors"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
)

// Executor runs operations on one election. It is safe for concurrent use.
type Executor struct {
	Database kv.Database
	Election *election.LeaderElection
	// Now returns the time of the process. Each attempt calls it again.
	Now func() machine.Now
	// Counters counts conflicts and retries. Nil counts nothing.
	Counters *Counters
	// TraceParent returns the trace context for a preemption request to the leader of a term
	// (election.WithTraceParent). Nil: there is none.
	TraceParent func(term uint64) string
}

// Run runs an operation that is not a watch until there is an answer or ctx ends. It
// calls notify before and after the commit of each renewal.
func (e *Executor) Run(ctx context.Context, op machine.Operation, notify func(machine.Event)) machine.Answer {
	var a machine.Answer
	var err error
	switch op.Kind {
	case machine.Register, machine.Rejoin:
		err = e.register(ctx, op, &a)
	case machine.ReadLeader:
		err = e.read(ctx, &a, func(tr kv.ReadTransaction) error { return e.readStatus(tr, op, &a) })
	case machine.Heartbeat:
		err = e.transact(ctx, &a, func(tr kv.Transaction, now machine.Now) error {
			return e.Election.HeartbeatCandidate(tr, op.Me, now.Wall, options(op, now)...)
		})
	case machine.ElectionCycle:
		err = e.cycle(ctx, op, &a, notify)
	case machine.Settle:
		err = e.settle(ctx, op, &a)
	case machine.Resign:
		err = e.resign(ctx, op, &a)
	case machine.HandOver:
		err = e.handOver(ctx, op, &a)
	case machine.Unregister:
		err = e.unregister(ctx, op, &a)
	case machine.List:
		err = e.list(ctx, op, &a)
	case machine.Evict:
		err = e.transact(ctx, &a, func(tr kv.Transaction, _ machine.Now) (err error) {
			a.Evicted, err = e.Election.EvictUnchanged(tr, op.Members)
			return err
		})
	case machine.WatchTerm, machine.WatchRequest, machine.WatchCandidates:
		err = errors.New("use Arm for a watch")
	}
	if err != nil && !errors.Is(err, machine.ErrLeadershipLost) {
		a = machine.Answer{Start: a.Start, Seen: a.Seen, MayHaveWritten: a.MayHaveWritten, Claims: a.Claims}
	}
	a.Err = err
	return a
}

// transact runs fn in a transaction. It passes the time to each attempt and stamps the
// answer.
func (e *Executor) transact(ctx context.Context, a *machine.Answer, fn func(kv.Transaction, machine.Now) error) error {
	return e.Database.Transact(ctx, func(tr kv.Transaction) error {
		now := e.Now()
		e.Counters.attempt(a.Start.IsZero())
		a.Start = now.Local
		err := fn(tr, now)
		a.Seen = e.Now().Local
		return err
	})
}

// read runs fn in a read-only transaction and stamps the answer in each attempt.
func (e *Executor) read(ctx context.Context, a *machine.Answer, fn func(kv.ReadTransaction) error) error {
	return e.Database.ReadTransact(ctx, func(tr kv.ReadTransaction) error {
		e.Counters.attempt(a.Start.IsZero())
		a.Start = e.Now().Local
		err := fn(tr)
		a.Seen = e.Now().Local
		return err
	})
}

// readStatus reads the status in one wave, and in another one what is not known of the
// leader.
func (e *Executor) readStatus(tr kv.ReadTransaction, op machine.Operation, a *machine.Answer) (err error) {
	if a.Status, err = e.Election.ReadStatus(tr); err != nil {
		return err
	}
	return e.readUnknown(tr, op, a)
}

// readUnknown reads what the process does not know of the leader in a.Status: its candidate
// record, and the tenures since the last known one. After a cycle, the record under the own id
// is not that of the leader, and it cannot be read if the cycle makes the candidate ready.
func (e *Executor) readUnknown(tr kv.ReadTransaction, op machine.Operation, a *machine.Answer) error {
	leader := a.Status.Leader
	a.Candidate, a.Missed = nil, nil
	own := leader.Identity == op.Me.Identity || op.Kind == machine.ElectionCycle && leader.ID == op.Me.ID
	if !leader.Vacant() && leader.Token() != op.Known && !own {
		c, err := e.Election.GetCandidate(tr, leader.ID)
		switch {
		case err == nil:
			a.Candidate = &c
		case kv.CodeOf(err) != 0: // an error of the store, not of the record
			return err
		}
	}
	if last := machine.Passed(leader); op.LeaderKnown && last > op.Known.Term {
		return e.readMissed(tr, op.Known.Term, last, a)
	}
	return nil
}

// readMissed reads the tenures after one term up to another from the history.
func (e *Executor) readMissed(tr kv.ReadTransaction, after, last uint64, a *machine.Answer) error {
	// At most three events for each term, and those of the newest term.
	limit := 3 * int(min(last-after+2, fdbelection.MaxHistoryLimit))
	events, err := e.Election.History(tr, limit)
	if err != nil && kv.CodeOf(err) != 0 {
		return err
	}
	for _, event := range events {
		if event.Kind == election.EventBegan && event.Term > after && event.Term <= last {
			a.Missed = append([]election.LeaderRecord{{
				Ballot: event.Ballot, Term: event.Term, Identity: event.To,
				AcquiredAt: event.At, Nonce: event.Nonce, Accepted: true,
			}}, a.Missed...)
		}
	}
	return nil
}

func (e *Executor) settle(ctx context.Context, op machine.Operation, a *machine.Answer) error {
	return e.transact(ctx, a, func(tr kv.Transaction, _ machine.Now) error {
		if _, err := e.Election.Settle(tr); err != nil {
			return err
		}
		return e.readStatus(tr, op, a)
	})
}

func (e *Executor) resign(ctx context.Context, op machine.Operation, a *machine.Answer) error {
	err := e.transact(ctx, a, func(tr kv.Transaction, now machine.Now) (err error) {
		if err = e.Election.ResignLeadership(tr, op.Token, now.Wall); err != nil {
			return err
		}
		if a.Status.Leader, err = e.Election.GetLeaderRaw(tr); errors.Is(err, fdbelection.ErrNotInitialized) {
			return nil // resigning works without a config too
		}
		return err
	})
	if err == nil {
		a.Seen = e.Now().Local // what the commit wrote did not exist before
	}
	a.MayHaveWritten = kv.OutcomeOf(err) == kv.Unsettled
	return err
}

func (e *Executor) handOver(ctx context.Context, op machine.Operation, a *machine.Answer) error {
	err := e.transact(ctx, a, func(tr kv.Transaction, now machine.Now) (err error) {
		var done bool
		a.Status.Request = op.Request
		a.Status.Leader, done, err = e.Election.HandOver(tr, op.Token, op.Request, now.Wall, options(op, now)...)
		if done || err != nil {
			return err
		}
		return e.handOverToNewest(tr, op, now, a)
	})
	if err == nil {
		a.Seen = e.Now().Local // what the commit wrote did not exist before
	}
	a.MayHaveWritten = kv.OutcomeOf(err) == kv.Unsettled
	return err
}

// handOverToNewest acts on a request that has replaced the one for which the work was
// stopped. Otherwise the leader would begin a new tenure, in which the request is void.
func (e *Executor) handOverToNewest(tr kv.Transaction, op machine.Operation, now machine.Now, a *machine.Answer) error {
	request, err := e.Election.ReadRequest(tr)
	if err != nil || request.Term != op.Token.Term || request.Nonce == op.Request.Nonce {
		return err
	}
	a.Status.Request = request
	switch request.Kind {
	case election.PreemptionRequest, election.TransferRequest:
		a.Status.Leader, _, err = e.Election.HandOver(tr, op.Token, request, now.Wall, options(op, now)...)
	case election.ResignRequest:
		if err = e.Election.ResignLeadership(tr, op.Token, now.Wall); err == nil {
			a.Status.Leader, err = e.Election.GetLeaderRaw(tr)
		}
	case election.NoRequest:
	}
	return err
}

// list reads the candidates. For a process that holds leadership it reads the status too.
func (e *Executor) list(ctx context.Context, op machine.Operation, a *machine.Answer) error {
	return e.read(ctx, a, func(tr kv.ReadTransaction) (err error) {
		if op.Token.Term != 0 {
			if a.Status, err = e.Election.ReadStatus(tr); err != nil && !errors.Is(err, fdbelection.ErrInvalidState) {
				return err
			}
		}
		return e.readCandidates(tr, op, a)
	})
}

// readCandidates reads all candidates, or the shortlist. It omits unreadable records.
func (e *Executor) readCandidates(tr kv.ReadTransaction, op machine.Operation, a *machine.Answer) (err error) {
	if op.First > 0 {
		a.Ranked, a.Members, err = e.Election.ListShortlist(tr, op.First, op.Also...)
	} else {
		a.Members, err = e.Election.ListCandidates(tr)
	}
	if err != nil && kv.CodeOf(err) == 0 && errors.Is(err, fdbelection.ErrInvalidState) {
		return nil // the readable candidates are listed
	}
	return err
}
