package elector_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

// recorder is a Tracer that keeps all spans.
type recorder struct {
	t     *testing.T
	trace int
	mu    sync.Mutex
	spans []*recorded
}

type recorded struct {
	*recorder
	number int
	parent *recorded
	start  elector.SpanStart
	end    elector.SpanEnd
	ended  bool
}

func (r *recorder) Start(parent elector.Span, start elector.SpanStart) elector.Span {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := &recorded{recorder: r, number: len(r.spans) + 1, start: start}
	if parent != nil {
		s.parent = parent.(*recorded)
		require.False(r.t, s.parent.ended, "the parent has ended")
	}
	r.spans = append(r.spans, s)
	return s
}

func (s *recorded) TraceParent() string { return fmt.Sprintf("00-%032x-%016x-01", s.trace, s.number) }

func (s *recorded) End(end elector.SpanEnd) {
	s.mu.Lock()
	defer s.mu.Unlock()
	require.False(s.t, s.ended, "ended twice")
	s.end, s.ended = end, true
}

// String names the kind of a span and how it ended.
func (s *recorded) String() string {
	if s.start.Kind != elector.SpanTransition {
		if !s.ended {
			return fmt.Sprintf("%s: open", s.start.Kind)
		}
		return fmt.Sprintf("%s: %s", s.start.Kind, s.end.Outcome)
	}
	text := fmt.Sprintf("%s to %s", s.start.From, s.start.To)
	if s.parent != nil {
		text += " in " + string(s.parent.start.Kind)
	}
	return text
}

// texts returns all spans in words, in the order of their start.
func (r *recorder) texts() (all []string) {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.spans {
		all = append(all, s.String())
	}
	return all
}

// of returns the spans of a kind.
func (r *recorder) of(kind elector.SpanKind) (all []*recorded) {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.spans {
		if s.start.Kind == kind {
			all = append(all, s)
		}
	}
	return all
}

// last returns the last span of a kind.
func (r *recorder) last(kind elector.SpanKind) *recorded {
	r.t.Helper()
	all := r.of(kind)
	require.NotEmpty(r.t, all, "there is no span: %s", kind)
	return all[len(all)-1]
}

// traced gives a process a tracer. Every span has ended at the end of the test.
func (tc *cluster) traced() (*recorder, setting) {
	tc.tracers++
	r := &recorder{t: tc.T, trace: tc.tracers}
	tc.Cleanup(func() {
		for _, s := range r.spans {
			require.True(tc, s.ended, "%s has not ended", s)
		}
	})
	return r, func(_ *process, o *elector.Options) { o.Tracer = r }
}

// request reads the request that stands.
func (tc *cluster) request() election.Request {
	tc.Helper()
	request, err := kv.ReadTransact(tc.Context(), tc.db, tc.election.ReadRequest)
	require.NoError(tc, err)
	return request
}

// works runs a process whose work takes a while to stop. The work has returned at the end of the
// test.
func (p *process) works(toStop time.Duration) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = p.Run(p.tc.Context(), func(ctx context.Context, _ *elector.Leadership) error {
			<-ctx.Done()
			time.Sleep(toStop)
			return nil
		})
	}()
	p.tc.Cleanup(func() {
		p.Abandon()
		<-ended
	})
}

// The claim, the changes of state and the hand-over have spans. Renewals and the cycles of
// a follower have none.
func TestSpansOfATenure(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		spans, tracer := tc.traced()
		following, follower := tc.traced()
		a := tc.process("a", tracer)
		const toStop = time.Second
		a.works(toStop)
		a.leads()
		b := tc.begin("b", follower)
		b.enters(elector.StateFollower)
		time.Sleep(10 * lease)
		require.Equal(tc, []string{"stopped to candidate", "claim: elected", "candidate to leader in claim"}, spans.texts())
		require.Equal(tc, []string{"stopped to candidate", "candidate to follower"}, following.texts())

		claim := spans.last(elector.SpanClaim)
		require.Equal(tc, elector.SpanStart{
			Kind: elector.SpanClaim, At: tc.start, Election: `("test")`, Node: "a", Leader: claim.start.Leader,
		}, claim.start)
		require.WithinDuration(tc, tc.start, claim.end.At, soon)
		require.Equal(tc, election.AcquireVacancy, claim.end.Leader.AcquireReason)
		require.Equal(tc, uint64(1), claim.end.Leader.Term)
		elected := spans.last(elector.SpanTransition).start
		require.Equal(tc, elector.ReasonVacancy, elected.Reason)
		require.Equal(tc, uint64(1), elected.Term)
		require.Equal(tc, "a", elected.Leader.ID)

		stopped := time.Now()
		a.stop()
		require.Equal(tc, []string{
			"hand over: resigned", "leader to candidate in hand over", "candidate to stopped in hand over",
		}, spans.texts()[3:])
		handOver := spans.last(elector.SpanHandOver)
		require.Equal(tc, elector.ReasonStopped, handOver.start.Reason)
		require.Equal(tc, uint64(1), handOver.start.Term)
		require.Equal(tc, toStop, handOver.end.WorkTook)
		require.WithinDuration(tc, stopped, handOver.start.At, soon)
		require.WithinDuration(tc, stopped.Add(toStop), handOver.end.At, soon)
		b.leads()
		require.Equal(tc, "claim: elected", following.last(elector.SpanClaim).String())
	})
}

// The hand-over of a leader that is preempted links to the claim of the challenger, which
// begins with the first request. All its requests have the same trace context.
func TestSpansOfAPreemption(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		losing, loser := tc.traced()
		winning, winner := tc.traced()
		low := tc.process("low", loser)
		const toStop = 2*heartbeat + time.Second
		low.works(toStop)
		low.leads()
		time.Sleep(lease)
		high := tc.begin("high", priority(1), winner)
		low.enters(elector.StateCandidate)
		want, first := winning.last(elector.SpanClaim).TraceParent(), tc.request()
		require.Equal(tc, want, first.TraceParent)
		time.Sleep(2 * heartbeat)
		require.Greater(tc, tc.request().Counter, first.Counter)
		require.Equal(tc, want, tc.request().TraceParent)
		require.Equal(tc, "claim: open", winning.last(elector.SpanClaim).String())
		high.leads()

		handOver, claim := losing.last(elector.SpanHandOver), winning.last(elector.SpanClaim)
		require.Equal(tc, "hand over: handed over", handOver.String())
		require.Equal(tc, elector.ReasonChallenged, handOver.start.Reason)
		require.Equal(tc, want, handOver.start.Link)
		require.Empty(tc, handOver.end.Link, "it is the same")
		require.Equal(tc, toStop, handOver.end.WorkTook)
		require.Equal(tc, "high", handOver.end.Leader.ID)
		require.Equal(tc, "claim: elected", claim.String())
		require.Equal(tc, election.AcquirePreemption, claim.end.Leader.AcquireReason)
		require.InDelta(tc, toStop, claim.end.At.Sub(claim.start.At), float64(2*soon))
		all := winning.texts() // it may be a candidate first
		require.Equal(tc, []string{"stopped to candidate", "candidate to follower", "claim: elected"}, all[:3])
		require.Contains(tc, all[len(all)-1], " to leader in claim")
	})
}

// Without a tracer a request has no trace context, and the leader has nothing to link to.
func TestNothingIsStoredWithoutATracer(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		spans, tracer := tc.traced()
		low := tc.begin("low", tracer, callbacks(func(c *elector.Callbacks) {
			c.OnDemoted = func(context.Context, elector.Transition) { require.Empty(tc, tc.request().TraceParent) }
		}))
		low.leads()
		tc.begin("high", priority(1)).leads()
		handOver := spans.last(elector.SpanHandOver)
		require.Equal(tc, "hand over: handed over", handOver.String())
		require.Empty(tc, handOver.start.Link)
		require.Empty(tc, handOver.end.Link)
	})
}
