package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
)

// unregister resigns or hands over, and removes the candidate record, in one transaction.
func (e *Executor) unregister(ctx context.Context, op machine.Operation, a *machine.Answer) error {
	return e.transact(ctx, a, func(tr kv.Transaction, now machine.Now) (err error) {
		if a.Refused, err = e.handOverToSuccessor(tr, op, now); err != nil {
			return err
		}
		if err := e.Election.UnregisterCandidate(tr, op.Me.Identity, now.Wall); err != nil {
			return err
		}
		a.Status.Leader, _ = e.Election.GetLeaderRaw(tr) // only reported, so an error does not matter
		return nil
	})
}

// handOverToSuccessor hands over to the first successor that can be handed leadership. It
// returns why there is none, or an error of the store. The nonce is the same in each attempt,
// so an attempt after an unknown result recognises its success even if it finds other
// successors.
func (e *Executor) handOverToSuccessor(tr kv.Transaction, op machine.Operation, now machine.Now) (refused, err error) {
	if op.Succession.To == "" {
		return nil, nil
	}
	successors, err := e.successors(tr, op)
	switch {
	case kv.CodeOf(err) != 0:
		return nil, err
	case err != nil:
		return err, nil
	}
	var all []error
	for _, id := range successors {
		leader, err := e.Election.TransferLeadership(tr, op.Token, id, op.Succession.Nonce, now.Wall)
		switch {
		case err == nil && leader.Term == op.Token.Term:
			return fdbelection.ErrElectionDisabled, nil // it has resigned
		case err == nil, kv.CodeOf(err) != 0:
			return nil, err
		}
		all = append(all, err)
	}
	return errors.Join(all...), nil
}

// successors returns the ids that are tried, in order: the candidates whose id begins
// with the text before a final *, the newest first, and then the text of To itself. It
// leaves out candidates that have timed out.
func (e *Executor) successors(tr kv.Transaction, op machine.Operation) (ids []string, err error) {
	prefix, many := strings.CutSuffix(op.Succession.To, "*")
	if !many {
		return []string{op.Succession.To}, e.successorTimedOut(tr, op)
	}
	candidates, err := e.Election.ListCandidates(tr)
	if err != nil && kv.CodeOf(err) != 0 { // otherwise the readable candidates are listed
		return nil, err
	}
	slices.SortFunc(candidates, func(a, b election.Candidate) int { return b.Versionstamp.Compare(a.Versionstamp) })
	for i := range candidates {
		if c := &candidates[i]; strings.HasPrefix(c.ID, prefix) && c.ID != op.Token.ID && !timedOut(op, c) {
			ids = append(ids, c.ID)
		}
	}
	return append(ids, op.Succession.To), nil
}

// successorTimedOut returns an error if the named successor has timed out. It reads only if
// the process has seen that.
func (e *Executor) successorTimedOut(tr kv.Transaction, op machine.Operation) error {
	if !slices.ContainsFunc(op.Members, func(dead election.Candidate) bool { return dead.ID == op.Succession.To }) {
		return nil
	}
	c, err := e.Election.GetCandidate(tr, op.Succession.To)
	if err == nil && timedOut(op, &c) {
		return fmt.Errorf("%w: %s sent no heartbeat for the candidate timeout", fdbelection.ErrProcessNotFound, c.Identity)
	}
	return err
}

// timedOut reports whether a candidate is one of those that have timed out, and has not
// changed since.
func timedOut(op machine.Operation, c *election.Candidate) bool {
	return slices.ContainsFunc(op.Members, func(dead election.Candidate) bool {
		return dead.Identity == c.Identity && dead.Heartbeats == c.Heartbeats
	})
}
