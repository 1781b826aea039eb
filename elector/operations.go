package elector

import (
	"context"
	"errors"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/internal/loop"
	"github.com/fdbelection/fdbelection/internal/machine"
)

// farAway is the delay of a timer before the machine has asked for a wake-up.
const farAway = 365 * 24 * time.Hour

// start runs an operation in a goroutine of its own, which posts the answer. The caller
// holds s.mu.
func (s *session) start(op *machine.Operation) {
	switch op.Kind {
	case machine.ReadLeader, machine.ElectionCycle, machine.WatchTerm: // the candidate is registered
		s.existing = nil
	default:
	}
	ctx, cancel := context.WithCancel(s.ctx)
	s.running[op.ID] = cancel
	s.group.Add(1)
	if op.Kind.Watches() {
		go s.watch(ctx, op)
	} else {
		go s.operate(ctx, op)
	}
}

// operate runs an operation within its limit.
func (s *session) operate(ctx context.Context, op *machine.Operation) {
	defer s.group.Done()
	began := s.clock.Now()
	limited, stop := clock.WithTimeout(ctx, s.clock, op.Limit)
	defer stop()
	answer := s.executor.Run(limited, *op, s.post)
	answer.Err = loop.TimedOut(limited, answer.Err)
	if answer.Action == election.Renewed && answer.Err == nil {
		s.elector.counts.renewals.Add(s.clock.Now().Sub(began))
	}
	s.completed(op, began, machine.Answered{Op: op.ID, Answer: answer})
}

// watch arms a watch within the limit. A goroutine of its own waits for it: the stack of this one
// has grown by the transaction, and would stay so while the watch waits.
func (s *session) watch(ctx context.Context, op *machine.Operation) {
	limited, stop := clock.WithTimeout(ctx, s.clock, op.Limit)
	watch, answer := s.arm(limited, *op)
	stop()
	if answer.Err != nil {
		defer s.group.Done()
		answer.Err = loop.TimedOut(limited, answer.Err)
		s.reportWatch(ctx, op, answer.Err)
		s.completed(op, time.Time{}, machine.Answered{Op: op.ID, Answer: answer})
		return
	}
	s.post(machine.Answered{Op: op.ID, Answer: answer})
	go s.await(ctx, op, watch)
}

// await waits until a watch has fired or failed.
func (s *session) await(ctx context.Context, op *machine.Operation, watch *sharedWatch) {
	defer s.group.Done()
	defer watch.leave()
	select {
	case <-watch.watch.Done():
		s.watchEnded(ctx, op, watch.watch.Err())
	case <-ctx.Done():
		s.watchEnded(ctx, op, ctx.Err())
	}
}

// watchEnded handles the end of a watch.
func (s *session) watchEnded(ctx context.Context, op *machine.Operation, err error) {
	if ctx.Err() == nil {
		s.elector.counts.watchEnded(op.Kind, err)
	}
	s.reportWatch(ctx, op, err)
	s.completed(op, time.Time{}, machine.WatchEnded{Op: op.ID, Err: err})
}

// completed removes an operation and handles its last event. began is when an operation that
// is not a watch has begun.
func (s *session) completed(op *machine.Operation, began time.Time, event machine.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[op.ID]()
	delete(s.running, op.ID)
	s.logOperation(op, event)
	s.spans.answered(op, event, began)
	s.handle(event)
	s.spans.handled()
}

// reportWatch logs that a watch has failed, unless it was cancelled.
func (s *session) reportWatch(ctx context.Context, op *machine.Operation, err error) {
	if err != nil && ctx.Err() == nil && !errors.Is(err, fdbelection.ErrNotInitialized) {
		s.logWatch(op.Kind, err)
	}
}
