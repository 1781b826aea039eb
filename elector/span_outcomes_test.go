package elector_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// If a stronger challenger replaces the one for which the work stopped, the hand-over links to
// both. The weaker one has withdrawn.
func TestSpansOfTwoChallengers(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		losing, loser := tc.traced()
		firstSpans, first := tc.traced()
		secondSpans, second := tc.traced()
		low := tc.process("low", loser)
		low.works(5 * heartbeat / 2) // until the leader has seen the second one alive
		low.leads()
		b := tc.begin("b", priority(1), first)
		low.enters(elector.StateCandidate)
		tc.begin("c", priority(2), second).leads()
		b.enters(elector.StateFollower)
		handOver, claim := losing.last(elector.SpanHandOver), firstSpans.last(elector.SpanClaim)
		require.Equal(tc, claim.TraceParent(), handOver.start.Link)
		require.Equal(tc, secondSpans.last(elector.SpanClaim).TraceParent(), handOver.end.Link)
		require.Equal(tc, "hand over: handed over", handOver.String())
		require.Equal(tc, "claim: withdrawn", claim.String())
	})
}

// takesOver makes another process lead in the place of the leader.
func (tc *cluster) takesOver(other election.Registration) error {
	resign := func(tr kv.Transaction) error {
		return tc.election.ResignLeadership(tr, tc.leader().Token(), time.Now())
	}
	claim := func(tr kv.Transaction) error {
		_, err := tc.election.RunElectionCycle(tr, other, time.Now())
		return err
	}
	return errors.Join(tc.db.Transact(tc.Context(), resign), tc.db.Transact(tc.Context(), claim))
}

// other registers a process without an elector. It does not renew.
func (tc *cluster) other(priority int32) election.Registration {
	other := election.Registration{Identity: election.Identity{ID: "other", Incarnation: uuid.New()}, Priority: priority}
	tc.transact(func(tr kv.Transaction) error { return tc.election.RegisterCandidate(tr, other, time.Now()) })
	return other
}

// A challenge is lost if a third process leads. To challenge that process is another claim.
func TestSpansOfALostChallenge(t *testing.T) {
	for rank, begins := range map[int32]string{0: "the request", 1: "a claim"} {
		t.Run("next is "+begins, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				spans, tracer := tc.traced()
				a := tc.begin("a", priority(-1))
				a.leads()
				a.Abandon() // it does not compete
				other := tc.other(rank)
				requested, _ := once(tc.commits("b", "intent"), func(context.Context, *memkv.Call) error { return tc.takesOver(other) })
				tc.before(requested)
				tc.begin("b", priority(1), tracer).leads()
				all := spans.of(elector.SpanClaim)
				require.Len(tc, all, 2)
				require.Equal(tc, "claim: lost", all[0].String())
				require.WithinDuration(tc, tc.start, all[0].end.At, lease/2)
				require.Equal(tc, "claim: elected", all[1].String())
				require.Equal(tc, election.AcquireExpiry, all[1].end.Leader.AcquireReason)
				require.NotEqual(tc, all[0].TraceParent(), all[1].TraceParent())
			})
		})
	}
}

// A request that fails is repeated, and its span goes on.
func TestSpansOfAFailedRequest(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		spans, tracer := tc.traced()
		a := tc.begin("a")
		a.leads()
		failing, failed := once(tc.commits("b", "intent"), fail(errDisk))
		tc.before(failing)
		tc.begin("b", priority(1), tracer).leads()
		require.True(tc, failed())
		all := spans.of(elector.SpanClaim)
		require.Len(tc, all, 1)
		require.Equal(tc, "claim: elected", all[0].String())
		require.NoError(tc, all[0].end.Err)
	})
}

// If the challenger does not want leadership any more, the leader keeps it.
func TestSpansOfAWithdrawnChallenge(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		spans, tracer := tc.traced()
		challenging, challenger := tc.traced()
		low := tc.process("low", tracer)
		low.works(heartbeat)
		low.leads()
		high := tc.begin("high", priority(1), challenger)
		low.enters(elector.StateCandidate)
		high.SetPriority(0)
		require.Equal(tc, elector.ReasonReclaim, low.leads().Reason)
		require.Equal(tc, "claim: withdrawn", challenging.last(elector.SpanClaim).String())
		require.Equal(tc, "hand over: kept", spans.last(elector.SpanHandOver).String())
		require.Equal(tc, election.AcquireReclaim, spans.last(elector.SpanClaim).end.Leader.AcquireReason)
		low.stop()
	})
}

// A claim whose commit fails has a span with the error, and the next one has its own. A cycle
// that cannot read does not know that it would claim.
func TestSpansOfFailedClaims(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		spans, tracer := tc.traced()
		before := tc.begin("before") // a term has ended already
		before.leads()
		before.stop()
		failing, failed := once(tc.commits("a", "leader"), fail(errDisk))
		tc.before(failing)
		a := tc.begin("a", tracer)
		a.leads()
		require.True(tc, failed())
		require.Equal(tc, []string{"stopped to candidate", "claim: failed", "claim: elected", "candidate to leader in claim"}, spans.texts())
		require.ErrorIs(tc, spans.spans[1].end.Err, errDisk)
		require.NoError(tc, spans.last(elector.SpanClaim).end.Err)

		tc.before(fail(errDisk))
		a.enters(elector.StateCandidate)
		time.Sleep(2 * lease)
		require.Equal(tc, []string{"leader to jeopardy", "jeopardy to candidate"}, spans.texts()[4:])
		tc.before(nil)
	})
}

// A process that claims at the same time as another one has a span for the lost claim.
func TestSpansOfALostClaim(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		spans, tracer := tc.traced()
		tc.initialize()
		other := tc.other(0)
		first, done := once(tc.commits("a", "leader"), func(context.Context, *memkv.Call) error {
			return tc.db.Transact(tc.Context(), func(tr kv.Transaction) error {
				_, err := tc.election.RunElectionCycle(tr, other, time.Now())
				return err
			})
		})
		tc.before(first)
		tc.loseWatches(true) // the claim tells it first
		a := tc.begin("a", tracer)
		a.enters(elector.StateFollower)
		require.True(tc, done())
		require.Equal(tc, []string{"stopped to candidate", "claim: lost", "candidate to follower in claim"}, spans.texts())
		require.Equal(tc, "other", spans.last(elector.SpanClaim).end.Leader.ID)
	})
}

// A claim that is cancelled because the process leaves has not failed.
func TestSpansOfACancelledClaim(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		spans, tracer := tc.traced()
		tc.initialize()
		claiming := make(chan struct{})
		hanging, _ := once(tc.commits("a", "leader"), func(ctx context.Context, c *memkv.Call) error {
			close(claiming)
			return hang(ctx, c)
		})
		tc.before(hanging)
		a := tc.begin("a", tracer)
		<-claiming
		a.stop()
		require.Equal(tc, "claim: stopped", spans.last(elector.SpanClaim).String())
	})
}

// An answer that comes after Abandon begins no span.
func TestNoSpansAfterAbandon(t *testing.T) {
	for _, record := range []string{"intent", "leader"} {
		inCluster(t, func(tc *cluster) {
			spans, tracer := tc.traced()
			tc.initialize()
			want := 0
			if record == "intent" {
				tc.begin("low").leads()
				want = 1 // it has begun with the request
			}
			high := tc.process("high", priority(1), tracer)
			abandoned, done := once(tc.commits("high", record), func(context.Context, *memkv.Call) error {
				high.Abandon()
				return nil
			})
			tc.after(abandoned)
			require.NoError(tc, high.Start(tc.Context()))
			high.enters(elector.StateStopped)
			require.True(tc, done())
			require.Len(tc, spans.of(elector.SpanClaim), want)
		})
	}
}

// Abandon ends every span.
func TestAbandonEndsSpans(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		spans, tracer := tc.traced()
		challenging, challenger := tc.traced()
		low := tc.process("low", tracer)
		low.works(heartbeat)
		low.leads()
		high := tc.begin("high", priority(1), challenger)
		low.enters(elector.StateCandidate)
		high.Abandon()
		require.Equal(tc, "claim: stopped", challenging.last(elector.SpanClaim).String())
		low.Abandon()
		require.Equal(tc, "hand over: stopped", spans.last(elector.SpanHandOver).String())
	})
}
