package elector

import (
	"context"
	"errors"
	"sync"
	"time"

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
	running map[uint64]context.CancelFunc // guarded by the session
	group   sync.WaitGroup
}

// start runs an operation, and posts its answer.
func (o *operator) start(op machine.Operation) {
	ctx, cancel := context.WithCancel(o.session.ctx)
	o.running[op.ID] = cancel
	o.group.Go(func() {
		defer cancel()
		if op.Kind == machine.WatchTerm || op.Kind == machine.WatchIntent {
			o.watch(ctx, cancel, op)
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

// watch arms a watch within the limit, and waits until it has fired.
func (o *operator) watch(ctx context.Context, cancel context.CancelFunc, op machine.Operation) {
	late := false
	var mu sync.Mutex
	limit := o.session.clock.AfterFunc(max(op.Limit, atOnce), func() {
		mu.Lock()
		defer mu.Unlock()
		late = true
		cancel()
	})
	watch, answer := o.Arm(ctx, op)
	limit.Stop()
	mu.Lock()
	if late && answer.Err != nil {
		answer.Err = context.DeadlineExceeded
	}
	mu.Unlock()
	if answer.Err != nil {
		o.ended(op, machine.Answered{Op: op.ID, Answer: answer})
		return
	}
	defer watch.Cancel()
	o.session.post(machine.Answered{Op: op.ID, Answer: answer})
	select {
	case <-watch.Done():
	case <-ctx.Done():
		watch.Cancel()
	}
	err := watch.Err()
	if err == nil {
		err = ctx.Err()
	}
	o.ended(op, machine.Fired{Op: op.ID, Err: err})
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
