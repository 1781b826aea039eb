package elector

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector/machine"
	"github.com/fdbelection/fdbelection/elector/operate"
	"github.com/fdbelection/fdbelection/kv"
)

// farAway is when a timer is due that nothing has been asked of yet.
const farAway = 365 * 24 * time.Hour

// operator runs the operations of a session, each in a goroutine of its own.
type operator struct {
	operate.Operator
	session *session
	pool    *watchPool
	running map[uint64]context.CancelFunc // guarded by the session
	group   sync.WaitGroup
}

// start runs an operation, and posts its answer.
func (o *operator) start(op machine.Operation) {
	ctx, cancel := context.WithCancel(o.session.ctx)
	o.running[op.ID] = cancel
	o.group.Go(func() {
		defer cancel()
		if op.Kind.Watches() {
			o.watch(ctx, op)
		} else {
			o.run(ctx, op)
		}
	})
}

func (o *operator) run(ctx context.Context, op machine.Operation) {
	limited, stop := withTimeout(ctx, o.session.clock, op.Limit)
	defer stop()
	answer := o.Run(limited, op, o.session.post)
	answer.Err = timedOut(limited, answer.Err)
	o.ended(op, machine.Answered{Op: op.ID, Answer: answer})
}

// watch arms a watch within the limit, and waits until it has ended.
func (o *operator) watch(ctx context.Context, op machine.Operation) {
	limited, stop := withTimeout(ctx, o.session.clock, op.Limit)
	watch, answer := o.arm(limited, op)
	stop()
	if answer.Err != nil {
		answer.Err = timedOut(limited, answer.Err)
		o.failed(ctx, op, answer.Err)
		o.ended(op, machine.Answered{Op: op.ID, Answer: answer})
		return
	}
	defer watch.leave()
	o.session.post(machine.Answered{Op: op.ID, Answer: answer})
	var err error
	select {
	case <-watch.watch.Done():
		err = watch.watch.Err()
	case <-ctx.Done():
		err = ctx.Err()
	}
	o.failed(ctx, op, err)
	o.ended(op, machine.Fired{Op: op.ID, Err: err})
}

// failed logs that a watch has failed, unless nothing waits for it any more.
func (o *operator) failed(ctx context.Context, op machine.Operation, err error) {
	if err != nil && ctx.Err() == nil && !errors.Is(err, fdbelection.ErrNotInitialized) {
		o.session.logWatch(op.Kind, err)
	}
}

// ended posts the last event of an operation.
func (o *operator) ended(op machine.Operation, event machine.Event) {
	o.session.mu.Lock()
	defer o.session.mu.Unlock()
	delete(o.running, op.ID)
	o.session.logOperation(op, event)
	o.session.take(event)
}

func (o *operator) cancel(op uint64) {
	if cancel := o.running[op]; cancel != nil {
		cancel()
	}
}

// timedOut gives an error that comes of the end of a context its cause, and
// keeps its outcome.
func timedOut(ctx context.Context, err error) error {
	if err == nil || ctx.Err() == nil || !errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return err
	}
	if kv.CodeOf(err) != 0 {
		return &lateError{err}
	}
	return context.DeadlineExceeded
}

// lateError is an error of the store at the end of an operation's time.
type lateError struct{ error }

func (e *lateError) Unwrap() []error { return []error{e.error, context.DeadlineExceeded} }
