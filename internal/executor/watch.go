package executor

import (
	"context"

	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
)

// Arm registers the watch of an operation and reads the status, or the candidates if these
// are watched, in the same transaction, so that no change is missed in between. The watch
// outlasts ctx. The caller must cancel it.
func (e *Executor) Arm(ctx context.Context, op machine.Operation) (kv.Watch, machine.Answer) {
	var a machine.Answer
	var watch kv.Watch
	err := e.transact(ctx, &a, func(tr kv.Transaction, _ machine.Now) error {
		if watch != nil {
			watch.Cancel()
		}
		switch op.Kind {
		case machine.WatchCandidates:
			watch = e.Election.WatchCandidates(tr)
			return e.readCandidates(tr, op, &a)
		case machine.WatchRequest:
			watch = e.Election.WatchRequest(tr)
		default:
			watch = e.Election.Watch(tr)
		}
		return e.readStatus(tr, op, &a)
	})
	if err != nil {
		if watch != nil {
			watch.Cancel()
		}
		return nil, machine.Answer{Start: a.Start, Seen: a.Seen, Err: err}
	}
	return watch, a
}
