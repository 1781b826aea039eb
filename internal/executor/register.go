package executor

import (
	"context"
	"errors"
	"fmt"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
)

// register creates the election if it does not exist, and registers the candidate. If
// another incarnation is registered under its id, register writes nothing. It returns that
// existing candidate, or ErrDuplicateID if that one is alive.
func (e *Executor) register(ctx context.Context, op machine.Operation, a *machine.Answer) error {
	alive := false
	err := e.transact(ctx, a, func(tr kv.Transaction, now machine.Now) (err error) {
		a.Status, a.Existing, alive = election.Status{}, nil, false
		if op.Config.LeaseDuration == 0 {
			a.Status.Config, err = e.Election.ReadConfig(tr)
		} else {
			a.Status.Config, err = e.Election.InitializeWithConfig(tr, op.Config)
		}
		if err != nil {
			return err
		}
		if op.Kind == machine.Rejoin {
			return e.Election.RejoinCandidate(tr, op.Me, now.Wall)
		}
		alive, err = e.takeOver(tr, op, a, now)
		return err
	})
	a.MayHaveWritten = a.Existing == nil && kv.OutcomeOf(err) != kv.NotCommitted
	if err == nil && alive {
		return fmt.Errorf("%w: %s is alive, so %s stops; stop the other process, or give each process its own id",
			fdbelection.ErrDuplicateID, a.Existing.Candidate.Identity, op.Me.Identity)
	}
	return err
}

// takeOver registers the candidate unless an existing candidate prevents it. It reports
// whether the existing candidate is alive, which means that its record has changed twice
// since it was first read. The history then has an event, if the leader record can be read.
func (e *Executor) takeOver(tr kv.Transaction, op machine.Operation, a *machine.Answer, now machine.Now) (alive bool, err error) {
	var seen *election.ExistingCandidate
	if op.TakeOver {
		seen = op.Existing
	}
	found, err := e.Election.TakeOverCandidate(tr, op.Me, seen, now.Wall)
	if found == nil || err != nil {
		return false, err
	}
	a.Existing, a.Status.Leader = found, found.Leader
	if op.ExistingChanged && op.Existing.ChangedIn(found) {
		err = e.Election.RecordDuplicate(tr, found.Candidate.Identity, op.Me.Identity, now.Wall)
		if kv.CodeOf(err) == 0 && errors.Is(err, fdbelection.ErrInvalidState) {
			err = nil // the process stops in any case
		}
		return true, err
	}
	return false, e.readUnknown(tr.Snapshot(), op, a)
}
