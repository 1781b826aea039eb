package executor

import (
	"context"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
)

// cycle runs an election cycle and retries it until an attempt has an answer. Each attempt
// has its own time stamps.
func (e *Executor) cycle(ctx context.Context, op machine.Operation, a *machine.Answer, notify func(machine.Event)) error {
	tr, err := e.Database.CreateTransaction(ctx)
	if err != nil {
		return err
	}
	defer tr.Cancel()
	for attempt := 1; ; attempt++ {
		now := e.Now()
		e.Counters.attempt(attempt == 1)
		*a = machine.Answer{Start: now.Local, Claims: a.Claims}
		result, err := e.Election.RunElectionCycle(tr, op.Me, now.Wall, e.cycleOptions(op, now)...)
		if err == nil {
			a.Action = result.Action
			a.Claims = a.Claims || op.Token.Term == 0 && (result.Leads() || result.Action == election.RequestedPreemption)
			a.Status.Config, a.Status.Leader, a.Status.Request = result.Config, result.Leader, result.Request
			err = e.readUnknown(tr.Snapshot(), op, a)
		}
		a.Seen = e.Now().Local
		switch {
		case err != nil:
		case op.Token.Term == 0:
			err = e.commit(tr, a)
		default:
			err = e.renew(tr, op, &result, now, a, attempt, notify)
		}
		if err == nil {
			return nil
		}
		e.Counters.failed(err)
		if kv.OutcomeOf(err) == kv.Unsettled {
			a.MayHaveWritten = writesMoreThanHeartbeat(a.Action)
			return err
		}
		if err := tr.OnError(err); err != nil {
			return err
		}
	}
}

// renew commits the cycle of a process that holds leadership. If the cycle renews, renew
// notifies of the commit before it is sent and after it is answered.
func (e *Executor) renew(
	tr kv.OwnedTransaction, op machine.Operation, result *election.CycleResult, now machine.Now,
	a *machine.Answer, attempt int, notify func(machine.Event),
) (err error) {
	if result.Leader.Token() != op.Token {
		return machine.ErrLeadershipLost
	}
	if a.CanHandOver, err = e.Election.CanHandOver(tr, result, now.Wall, options(op, now)...); err != nil {
		return err
	}
	if result.Action != election.Renewed {
		return tr.Commit()
	}
	notify(machine.CommitStarting{Op: op.ID, Attempt: attempt, Start: a.Start, Lease: result.Leader.LeaseDuration, Config: result.Config})
	err = e.commit(tr, a)
	notify(machine.CommitDone{Op: op.ID, Attempt: attempt, Outcome: kv.OutcomeOf(err)})
	return err
}

// commit commits. If the attempt has written more than the heartbeat, it sets Seen to the time
// of the answer, because the leader record of the result did not exist before. A request and its
// withdrawal do not write that record. For them Seen is later than necessary, which is safe.
func (e *Executor) commit(tr kv.OwnedTransaction, a *machine.Answer) error {
	err := tr.Commit()
	if err == nil && writesMoreThanHeartbeat(a.Action) {
		a.Seen = e.Now().Local
	}
	return err
}

// cycleOptions returns the options of a cycle.
func (e *Executor) cycleOptions(op machine.Operation, now machine.Now) []election.CycleOption {
	all := options(op, now)
	if e.TraceParent != nil && op.Token.Term == 0 {
		all = append(all, election.WithTraceParent(e.TraceParent))
	}
	return all
}

func options(op machine.Operation, now machine.Now) []election.CycleOption {
	options := []election.CycleOption{election.WithObservation(op.Observation, now.Local), election.EndedTerm(op.EndedTerm)}
	if op.Abstain {
		options = append(options, election.Abstain())
	}
	if op.NoPreempt {
		options = append(options, election.NoPreempt())
	}
	if op.LeadUnready > 0 {
		options = append(options, election.LeadUnready(op.LeadUnready))
	}
	return options
}

// writesMoreThanHeartbeat reports whether an action writes more than the candidate record: the
// leader record or the request.
func writesMoreThanHeartbeat(action election.Action) bool {
	return action != election.Followed && action != election.Draining
}
