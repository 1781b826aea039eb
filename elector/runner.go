package elector

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/internal/executor"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
)

// farAway is when a timer is due that nothing has been asked of yet.
const farAway = 365 * 24 * time.Hour

// runner runs the operations of a session, each in a goroutine of its own.
type runner struct {
	executor.Executor
	session *session
	pool    *watchPool
	running map[uint64]context.CancelFunc // guarded by the session
	group   sync.WaitGroup
}

// start runs an operation, and posts its answer.
func (r *runner) start(op machine.Operation) {
	ctx, cancel := context.WithCancel(r.session.ctx)
	r.running[op.ID] = cancel
	r.group.Go(func() {
		defer cancel()
		if op.Kind.Watches() {
			r.watch(ctx, op)
		} else {
			r.run(ctx, op)
		}
	})
}

func (r *runner) run(ctx context.Context, op machine.Operation) {
	limited, stop := clock.WithTimeout(ctx, r.session.clock, op.Limit)
	defer stop()
	answer := r.Run(limited, op, r.session.post)
	answer.Err = timedOut(limited, answer.Err)
	r.ended(op, machine.Answered{Op: op.ID, Answer: answer})
}

// watch arms a watch within the limit, and waits until it has ended.
func (r *runner) watch(ctx context.Context, op machine.Operation) {
	limited, stop := clock.WithTimeout(ctx, r.session.clock, op.Limit)
	watch, answer := r.arm(limited, op)
	stop()
	if answer.Err != nil {
		answer.Err = timedOut(limited, answer.Err)
		r.failed(ctx, op, answer.Err)
		r.ended(op, machine.Answered{Op: op.ID, Answer: answer})
		return
	}
	defer watch.leave()
	r.session.post(machine.Answered{Op: op.ID, Answer: answer})
	var err error
	select {
	case <-watch.watch.Done():
		err = watch.watch.Err()
	case <-ctx.Done():
		err = ctx.Err()
	}
	r.failed(ctx, op, err)
	r.ended(op, machine.WatchEnded{Op: op.ID, Err: err})
}

// failed logs that a watch has failed, unless nothing waits for it any more.
func (r *runner) failed(ctx context.Context, op machine.Operation, err error) {
	if err != nil && ctx.Err() == nil && !errors.Is(err, fdbelection.ErrNotInitialized) {
		r.session.logWatch(op.Kind, err)
	}
}

// ended posts the last event of an operation.
func (r *runner) ended(op machine.Operation, event machine.Event) {
	r.session.mu.Lock()
	defer r.session.mu.Unlock()
	delete(r.running, op.ID)
	r.session.logOperation(op, event)
	r.session.take(event)
}

func (r *runner) cancel(op uint64) {
	if cancel := r.running[op]; cancel != nil {
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
