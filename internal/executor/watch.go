package executor

import (
	"context"

	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
)

// Arm registers the watch of an operation and reads the seat with it, so that
// nothing is missed in between. The watch outlives ctx: the caller has to cancel it.
func (o *Executor) Arm(ctx context.Context, op machine.Operation) (kv.Watch, machine.Answer) {
	var a machine.Answer
	var watch kv.Watch
	err := o.transact(ctx, &a, func(tr kv.Transaction, _ machine.Now) error {
		if watch != nil {
			watch.Cancel()
		}
		if op.Kind == machine.WatchRequest {
			watch = o.Election.WatchRequest(tr)
		} else {
			watch = o.Election.Watch(tr)
		}
		return o.readStatus(tr, op, &a)
	})
	if err != nil {
		if watch != nil {
			watch.Cancel()
		}
		return nil, machine.Answer{Start: a.Start, Seen: a.Seen, Err: err}
	}
	return watch, a
}
