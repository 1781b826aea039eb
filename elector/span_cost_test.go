package elector

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/alloctest"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/internal/loop"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

// counted is a Tracer that counts its spans.
type counted struct{ spans atomic.Int64 }

func (c *counted) Start(Span, SpanStart) Span {
	c.spans.Add(1)
	return noSpan{}
}

type noSpan struct{}

func (noSpan) TraceParent() string { return "" }
func (noSpan) End(SpanEnd)         {}

// steady returns a session that leads and whose next operation is far away.
func steady(t *testing.T, tracer Tracer) *Leadership {
	t.Helper()
	el, err := New(memkv.New(memkv.Options{}), election.New(subspace.New("cost")), Options{
		NodeID: "a", Config: fdbelection.ConfigWithLease(24 * time.Hour), Tracer: tracer,
	})
	require.NoError(t, err)
	lead, err := el.Campaign(t.Context())
	require.NoError(t, err)
	lead.session.post(machine.Tick{}) // the step that began the tenure has ended
	t.Cleanup(func() {
		el.Abandon()
		<-lead.session.ended
	})
	return lead
}

// cycle runs one cycle of a session as start does, in this goroutine. Its answer is not that of
// the machine's own operation, so it changes nothing.
func (s *session) cycle(token election.Token, operate func(context.Context, *machine.Operation)) {
	op := machine.Operation{
		ID: 1 << 40, Kind: machine.ElectionCycle, Limit: time.Minute, Token: token, Abstain: true,
		Me: election.Registration{Identity: s.me},
	}
	s.mu.Lock()
	ctx, cancel := context.WithCancel(s.ctx)
	s.running[op.ID] = cancel
	s.group.Add(1)
	s.mu.Unlock()
	operate(ctx, &op)
}

// operateWithoutSpans is operate and completed without the calls that are for spans.
func (s *session) operateWithoutSpans(ctx context.Context, op *machine.Operation) {
	defer s.group.Done()
	began := s.clock.Now()
	limited, stop := clock.WithTimeout(ctx, s.clock, op.Limit)
	defer stop()
	answer := s.executor.Run(limited, *op, s.post)
	answer.Err = loop.TimedOut(limited, answer.Err)
	if answer.Action == election.Renewed && answer.Err == nil {
		s.elector.counts.renewals.Add(s.clock.Now().Sub(began))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[op.ID]()
	delete(s.running, op.ID)
	var event machine.Event = machine.Answered{Op: op.ID, Answer: answer}
	s.logOperation(op, event)
	s.handle(event)
}

// Without a tracer a cycle allocates as much as one without the calls that are for spans, and
// no such call allocates. Even with a tracer a renewal allocates no more.
func TestSpansAllocateNothing(t *testing.T) {
	measure := func(lead *Leadership, operate func(context.Context, *machine.Operation)) float64 {
		return alloctest.Least(200, func() { lead.session.cycle(lead.Token(), operate) })
	}
	plain := steady(t, nil)
	s := plain.session
	require.Nil(t, s.spans)
	require.Nil(t, s.executor.TraceParent)
	without := measure(plain, s.operateWithoutSpans)
	with := measure(plain, s.operate)
	tracer := &counted{}
	traced := steady(t, tracer)
	before := tracer.spans.Load()
	require.Positive(t, before)
	on := measure(traced, traced.session.operate)
	require.Equal(t, before, tracer.spans.Load(), "a renewal has no span")
	t.Logf("allocations of a renewal: %g without the calls, %g without a tracer, %g with one", without, with, on)
	require.InDelta(t, without, with, 0)
	require.InDelta(t, without, on, 0)

	op := machine.Operation{Kind: machine.ElectionCycle}
	var event machine.Event = machine.Answered{Answer: machine.Answer{Claims: true, Action: election.Claimed}}
	require.Zero(t, testing.AllocsPerRun(100, func() {
		s.spans.answered(&op, event, time.Time{})
		s.spans.handled()
		s.spans.transition(Transition{To: StateLeader})
		s.spans.drained(machine.Drain{Reason: machine.ReasonStopped})
		s.spans.workReturned()
		s.spans.released(nil)
		s.spans.ended(nil)
	}))
}
