package executor

import (
	"context"

	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
)

// Arm registers the watch of an operation and reads the status in the same transaction, so
// that no change is missed in between. The watch outlasts ctx. The caller must cancel it.
func (e *Executor) Arm(ctx context.Context, op machine.Operation) (kv.Watch, machine.Answer) {
	var a machine.Answer
	var watch kv.Watch
	err := e.transact(ctx, &a, func(tr kv.Transaction, _ machine.Now) error {
		if watch != nil {
			watch.Cancel()
		}
		if op.Kind == machine.WatchRequest {
			watch = e.Election.WatchRequest(tr)
		} else {
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
