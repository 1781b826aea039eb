package member

import (
	"context"
	"time"

	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/internal/loop"
	"github.com/fdbelection/fdbelection/internal/membership"
	"github.com/fdbelection/fdbelection/kv"
)

// start runs an operation in a goroutine of its own, which posts the answer. The caller holds
// s.mu.
func (s *session) start(op membership.Operation) {
	ctx, cancel := context.WithCancel(s.ctx)
	s.running[op.ID] = cancel
	s.operations.Go(func() { s.operate(ctx, op) })
}

// operate runs an operation within its limit. If it has armed a watch, operate waits until that
// has fired or failed.
func (s *session) operate(ctx context.Context, op membership.Operation) {
	began := s.clock.Now()
	limited, stop := clock.WithTimeout(ctx, s.clock, op.Limit)
	answer, watch := s.executor.Run(limited, op, s.post)
	answer.Err = loop.TimedOut(limited, answer.Err)
	stop()
	if op.Kind == membership.Heartbeat && answer.Err == nil {
		s.member.counts.heartbeats.Add(s.clock.Now().Sub(began))
	}
	if watch == nil {
		s.completed(op, membership.Answered{Op: op.ID, Answer: answer}, answer.Err)
		return
	}
	defer watch.Cancel()
	s.post(membership.Answered{Op: op.ID, Answer: answer})
	s.completed(op, membership.WatchEnded{Op: op.ID, Err: await(ctx, watch)}, nil)
}

// await waits until a watch has fired or failed, or ctx has ended.
func await(ctx context.Context, watch kv.Watch) error {
	select {
	case <-watch.Done():
		return watch.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// completed removes an operation and handles its last event.
func (s *session) completed(op membership.Operation, event membership.Event, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[op.ID]()
	delete(s.running, op.ID)
	s.stepping.Store(s.clock.Now().UnixNano()) // the log may block as well
	if err != nil {
		s.log().Debug("operation", "kind", op.Kind.String(), "op", op.ID, "error", loop.LineError{Err: err})
	} else {
		s.log().Debug("operation", "kind", op.Kind.String(), "op", op.ID)
	}
	s.handle(event)
}

// notChecked is why a member is not ready before its readiness was checked.
const notChecked = "its readiness was not checked yet"

// checkReadiness calls Options.Ready until the session ends.
func (s *session) checkReadiness() {
	m, known := s.member, notChecked
	for s.ctx.Err() == nil {
		result := loop.RunReadiness(s.ctx, &m.readiness, s.clock, m.options.ReadyLimit, m.options.Ready)
		if s.ctx.Err() != nil {
			return
		}
		if result.Reason != known {
			s.reportReadiness(known, result)
			s.post(membership.ReadinessChanged{NotReady: result.Reason})
			known = result.Reason
		}
		_ = clock.Sleep(s.ctx, s.clock, m.options.ReadyInterval)
	}
}

// healthy is how late something may be before it counts as stuck.
func healthy(heartbeat time.Duration) time.Duration { return max(3*heartbeat, time.Second) }
