package executor

import (
	"context"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
)

// cycle runs an election cycle in attempts of its own, one after the other until
// one has an answer, each stamped before it begins.
func (o *Executor) cycle(ctx context.Context, op machine.Operation, a *machine.Answer, tell func(machine.Event)) error {
	tr, err := o.Database.CreateTransaction(ctx)
	if err != nil {
		return err
	}
	defer tr.Cancel()
	for count := 1; ; count++ {
		err := o.attempt(tr, op, a, count, tell)
		if err == nil {
			return nil
		}
		if kv.OutcomeOf(err) == kv.Unsettled {
			a.MayHaveWritten = writesLeader(a.Action)
			return err
		}
		if err := tr.OnError(err); err != nil {
			return err
		}
	}
}

// attempt decides and commits once. A renewal is told of before its commit is
// issued, and again when there is something to say about it.
func (o *Executor) attempt(tr kv.OwnedTransaction, op machine.Operation, a *machine.Answer, count int, tell func(machine.Event)) error {
	now := o.Now()
	*a = machine.Answer{Start: now.Local}
	result, err := o.Election.RunElectionCycle(tr, op.Me, now.Wall, options(op, now)...)
	if err != nil {
		a.Seen = o.Now().Local
		return err
	}
	a.Action = result.Action
	a.Status.Config, a.Status.Leader, a.Status.Request = result.Config, result.Leader, result.Request
	err = o.complete(tr.Snapshot(), op, a)
	a.Seen = o.Now().Local
	if err != nil {
		return err
	}
	if op.Token.Term == 0 {
		return o.committed(tr.Commit(), a)
	}
	if result.Leader.Token() != op.Token {
		return machine.ErrLeadershipLost
	}
	if a.CanHandOver, err = o.Election.CanHandOver(tr, &result, now.Wall, options(op, now)...); err != nil {
		return err
	}
	if result.Action != election.Renewed {
		return tr.Commit()
	}
	tell(machine.CommitStarting{Op: op.ID, Attempt: count, Start: a.Start, Lease: result.Leader.LeaseDuration, Config: result.Config})
	err = o.committed(tr.Commit(), a)
	tell(machine.CommitDone{Op: op.ID, Attempt: count, Outcome: kv.OutcomeOf(err)})
	return err
}

// committed stamps what the operation wrote itself: it was not there to be seen
// before its commit was answered.
func (o *Executor) committed(err error, a *machine.Answer) error {
	if err == nil && writesLeader(a.Action) {
		a.Seen = o.Now().Local
	}
	return err
}

func options(op machine.Operation, now machine.Now) []election.CycleOption {
	options := []election.CycleOption{election.WithObservation(op.Observation, now.Local), election.EndedTerm(op.EndedTerm)}
	if op.Abstain {
		options = append(options, election.Abstain())
	}
	if op.NoPreempt {
		options = append(options, election.NoPreempt())
	}
	return options
}

// writesLeader reports whether an attempt wrote more than its own candidate
// record.
func writesLeader(action election.Action) bool {
	return action != election.Followed && action != election.Draining
}
