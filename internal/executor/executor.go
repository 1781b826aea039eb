package executor

import (
	"context"
	"errors"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
)

// Executor carries out operations on one election. It is safe for concurrent
// use.
type Executor struct {
	Database kv.Database
	Election *election.LeaderElection
	// Now is the time of the process. It is read afresh in each attempt.
	Now func() machine.Now
}

// Run carries out an operation that is no watch. It tells of each attempt to
// renew before and after its commit, and returns when there is an answer or ctx
// has ended.
func (o *Executor) Run(ctx context.Context, op machine.Operation, tell func(machine.Event)) machine.Answer {
	var a machine.Answer
	var err error
	switch op.Kind {
	case machine.Register, machine.Rejoin:
		err = o.register(ctx, op, &a)
	case machine.ReadLeader:
		err = o.readLeader(ctx, op, &a)
	case machine.Heartbeat:
		err = o.transact(ctx, &a, func(tr kv.Transaction, now machine.Now) error {
			return o.Election.HeartbeatCandidate(tr, op.Me, now.Wall, options(op, now)...)
		})
	case machine.ElectionCycle:
		err = o.cycle(ctx, op, &a, tell)
	case machine.Settle:
		err = o.settle(ctx, op, &a)
	case machine.Resign:
		err = o.resign(ctx, op, &a)
	case machine.HandOver:
		err = o.handOver(ctx, op, &a)
	case machine.Unregister:
		err = o.unregister(ctx, op, &a)
	case machine.List:
		err = o.list(ctx, op, &a)
	case machine.Evict:
		err = o.transact(ctx, &a, func(tr kv.Transaction, _ machine.Now) (err error) {
			a.Evicted, err = o.Election.EvictUnchanged(tr, op.Members)
			return err
		})
	case machine.WatchTerm, machine.WatchRequest:
		err = errors.New("a watch is armed, not run")
	}
	if err != nil && !errors.Is(err, machine.ErrLeadershipLost) {
		a = machine.Answer{Start: a.Start, Seen: a.Seen, MayHaveWritten: a.MayHaveWritten}
	}
	a.Err = err
	return a
}

// transact runs fn in a transaction, with the time of each attempt.
func (o *Executor) transact(ctx context.Context, a *machine.Answer, fn func(kv.Transaction, machine.Now) error) error {
	return o.Database.Transact(ctx, func(tr kv.Transaction) error {
		now := o.Now()
		a.Start = now.Local
		err := fn(tr, now)
		a.Seen = o.Now().Local
		return err
	})
}

// read runs fn in a read-only transaction, with the time of each attempt.
func (o *Executor) read(ctx context.Context, a *machine.Answer, fn func(kv.ReadTransaction) error) error {
	return o.Database.ReadTransact(ctx, func(tr kv.ReadTransaction) error {
		a.Start = o.Now().Local
		err := fn(tr)
		a.Seen = o.Now().Local
		return err
	})
}

func (o *Executor) readLeader(ctx context.Context, op machine.Operation, a *machine.Answer) error {
	return o.read(ctx, a, func(tr kv.ReadTransaction) error { return o.readStatus(tr, op, a) })
}

// readStatus reads the seat in one wave, and in another one what there is to know
// about a leader that was not known.
func (o *Executor) readStatus(tr kv.ReadTransaction, op machine.Operation, a *machine.Answer) (err error) {
	if a.Status, err = o.Election.ReadStatus(tr); err != nil {
		return err
	}
	return o.complete(tr, op, a)
}

// complete reads what there is to know about a leader that was not known: its
// candidate record, and the tenures between.
func (o *Executor) complete(tr kv.ReadTransaction, op machine.Operation, a *machine.Answer) error {
	leader := a.Status.Leader
	a.Candidate, a.Missed = nil, nil
	if !leader.Vacant() && leader.Token() != op.Known && leader.Identity != op.Me.Identity {
		c, err := o.Election.GetCandidate(tr, leader.ID)
		switch {
		case err == nil:
			a.Candidate = &c
		case kv.CodeOf(err) != 0: // of the database, not of the record
			return err
		}
	}
	if last := machine.Passed(leader); op.LeaderKnown && last > op.Known.Term {
		return o.missed(tr, op.Known.Term, last, a)
	}
	return nil
}

// missed reads the tenures after one term, up to another.
func (o *Executor) missed(tr kv.ReadTransaction, after, last uint64, a *machine.Answer) error {
	// Three events for each term at most, and those of the newest.
	limit := 3 * int(min(last-after+2, fdbelection.MaxHistoryLimit))
	events, err := o.Election.History(tr, limit)
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

func (o *Executor) settle(ctx context.Context, op machine.Operation, a *machine.Answer) error {
	return o.transact(ctx, a, func(tr kv.Transaction, _ machine.Now) error {
		if _, err := o.Election.Settle(tr); err != nil {
			return err
		}
		return o.readStatus(tr, op, a)
	})
}

func (o *Executor) resign(ctx context.Context, op machine.Operation, a *machine.Answer) error {
	err := o.transact(ctx, a, func(tr kv.Transaction, now machine.Now) (err error) {
		if err = o.Election.ResignLeadership(tr, op.Token, now.Wall); err != nil {
			return err
		}
		if a.Status.Leader, err = o.Election.GetLeaderRaw(tr); errors.Is(err, fdbelection.ErrNotInitialized) {
			return nil // the seat is given up without a config too
		}
		return err
	})
	if err == nil {
		a.Seen = o.Now().Local // what it wrote was not there to be seen before
	}
	a.MayHaveWritten = kv.OutcomeOf(err) == kv.Unsettled
	return err
}

func (o *Executor) handOver(ctx context.Context, op machine.Operation, a *machine.Answer) error {
	err := o.transact(ctx, a, func(tr kv.Transaction, now machine.Now) (err error) {
		var done bool
		a.Status.Leader, done, err = o.Election.HandOver(tr, op.Token, op.Request, now.Wall, options(op, now)...)
		if done || err != nil {
			return err
		}
		return o.handOverToAnother(tr, op, now, a)
	})
	if err == nil {
		a.Seen = o.Now().Local // what it wrote was not there to be seen before
	}
	a.MayHaveWritten = kv.OutcomeOf(err) == kv.Unsettled
	return err
}

// handOverToAnother obeys what has taken the place of the intent for which the work
// was told to stop. The holder would begin a new tenure otherwise, under which
// that is void.
func (o *Executor) handOverToAnother(tr kv.Transaction, op machine.Operation, now machine.Now, a *machine.Answer) error {
	intent, err := o.Election.ReadRequest(tr)
	if err != nil || intent.Term != op.Token.Term || intent.Nonce == op.Request.Nonce {
		return err
	}
	switch intent.Kind {
	case election.PreemptionRequest, election.TransferRequest:
		a.Status.Leader, _, err = o.Election.HandOver(tr, op.Token, intent, now.Wall, options(op, now)...)
	case election.ResignRequest:
		if err = o.Election.ResignLeadership(tr, op.Token, now.Wall); err == nil {
			a.Status.Leader, err = o.Election.GetLeaderRaw(tr)
		}
	case election.NoRequest:
	}
	return err
}

// unregister gives up the seat and the candidate record in one transaction.
func (o *Executor) unregister(ctx context.Context, op machine.Operation, a *machine.Answer) error {
	return o.transact(ctx, a, func(tr kv.Transaction, now machine.Now) error {
		if err := o.Election.UnregisterCandidate(tr, op.Me.Identity, now.Wall); err != nil {
			return err
		}
		a.Status.Leader, _ = o.Election.GetLeaderRaw(tr) // of no consequence: it is only to be told
		return nil
	})
}

// list reads the candidates, and for a holder the seat as well.
func (o *Executor) list(ctx context.Context, op machine.Operation, a *machine.Answer) error {
	return o.read(ctx, a, func(tr kv.ReadTransaction) (err error) {
		if op.Token.Term != 0 {
			if a.Status, err = o.Election.ReadStatus(tr); err != nil && !errors.Is(err, fdbelection.ErrInvalidState) {
				return err
			}
		}
		if op.First > 0 {
			a.Ranked, a.Members, err = o.Election.ListPreferred(tr, op.First, op.Also...)
		} else {
			a.Members, err = o.Election.ListCandidates(tr)
		}
		if err != nil && kv.CodeOf(err) == 0 && errors.Is(err, fdbelection.ErrInvalidState) {
			return nil // those that can be read are listed
		}
		return err
	})
}
