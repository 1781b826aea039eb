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

// register makes the election where it is not there, and enters the candidate. If
// another incarnation is registered under its id it enters nothing: it returns that
// incumbent, or ErrDuplicateID if the incumbent has moved since op saw it.
func (o *Executor) register(ctx context.Context, op machine.Operation, a *machine.Answer) error {
	moved := false
	err := o.transact(ctx, a, func(tr kv.Transaction, now machine.Now) (err error) {
		a.Status, a.Existing, moved = election.Status{}, nil, false
		if op.Config.LeaseDuration == 0 {
			a.Status.Config, err = o.Election.ReadConfig(tr)
		} else {
			a.Status.Config, err = o.Election.InitializeWithConfig(tr, op.Config)
		}
		if err != nil {
			return err
		}
		if op.Kind == machine.Rejoin {
			return o.Election.RejoinCandidate(tr, op.Me, now.Wall)
		}
		moved, err = o.takeOver(tr, op, a, now)
		return err
	})
	a.MayHaveWritten = a.Existing == nil && kv.OutcomeOf(err) != kv.NotCommitted
	if err == nil && moved {
		return fmt.Errorf("%w: %s is alive, so %s stops; stop the other one, or give each process an id of its own",
			fdbelection.ErrDuplicateID, a.Existing.Candidate.Identity, op.Me.Identity)
	}
	return err
}

// takeOver enters the candidate, unless an incumbent is in the way. It reports whether
// that one has moved, which the history then tells if the leader record can be read.
func (o *Executor) takeOver(tr kv.Transaction, op machine.Operation, a *machine.Answer, now machine.Now) (moved bool, err error) {
	var seen *election.ExistingCandidate
	if op.TakeOver {
		seen = op.Existing
	}
	found, err := o.Election.TakeOverCandidate(tr, op.Me, seen, now.Wall)
	if found == nil || err != nil {
		return false, err
	}
	a.Existing, a.Status.Leader = found, found.Leader
	if op.Existing != nil && op.Existing.ChangedIn(found) {
		err = o.Election.RecordDuplicate(tr, found.Candidate.Identity, op.Me.Identity, now.Wall)
		if kv.CodeOf(err) == 0 && errors.Is(err, fdbelection.ErrInvalidState) {
			err = nil // it stops all the same
		}
		return true, err
	}
	return false, o.complete(tr.Snapshot(), op, a)
}
