package elector_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// Work that takes longer than the grace makes the leader resign. Its span still links to the
// challenger, and has no duration of the work.
func TestSpansAfterTheGrace(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		losing, loser := tc.traced()
		winning, winner := tc.traced()
		low := tc.process("low", loser)
		release := make(chan struct{})
		low.run(tc.Context(), func(context.Context, *elector.Leadership) error { <-release; return nil })
		low.leads()
		tc.begin("high", priority(1), winner).leads()
		claim := winning.last(elector.SpanClaim)
		require.Equal(tc, "claim: elected", claim.String())
		require.Equal(tc, election.AcquireVacancy, claim.end.Leader.AcquireReason)
		handOver := losing.last(elector.SpanHandOver)
		require.Equal(tc, "hand over: resigned", handOver.String())
		require.Equal(tc, claim.TraceParent(), handOver.start.Link)
		require.Zero(tc, handOver.end.WorkTook)
		close(release)
		low.enters(elector.StateFollower)
	})
}

// A leader that is preempted at once loses its tenure and hands nothing over.
func TestNoHandOverSpanOfALoss(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		tc.config.PreemptionGrace = 0
		losing, loser := tc.traced()
		winning, winner := tc.traced()
		low := tc.begin("low", loser)
		low.leads()
		tc.begin("high", priority(1), winner).leads()
		low.enters(elector.StateFollower)
		require.Equal(tc, []string{"leader to follower"}, losing.texts()[3:])
		require.Equal(tc, elector.ReasonLeadershipLost, losing.last(elector.SpanTransition).start.Reason)
		require.Equal(tc, election.AcquirePreemption, winning.last(elector.SpanClaim).end.Leader.AcquireReason)
	})
}

// Leadership that another process takes before this one has released it is lost.
func TestSpansOfALateRelease(t *testing.T) {
	for name, release := range map[string]func(tc *cluster, a *process, lead *elector.Leadership) error{
		"resigns": func(tc *cluster, _ *process, lead *elector.Leadership) error { return lead.Resign(tc.Context()) },
		"leaves":  func(tc *cluster, a *process, _ *elector.Leadership) error { return a.Stop(tc.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				spans, tracer := tc.traced()
				a := tc.process("a", tracer)
				lead, err := a.Campaign(tc.Context())
				require.NoError(tc, err)
				context.AfterFunc(lead.Context(), func() { _ = lead.Resign(tc.Context()) })
				other := tc.other(0)
				taken, _ := once(tc.commits("a", "leader"), func(context.Context, *memkv.Call) error { return tc.takesOver(other) })
				tc.before(taken)
				require.NoError(tc, release(tc, a, lead))
				require.Equal(tc, "hand over: lost", spans.last(elector.SpanHandOver).String())
			})
		})
	}
}

// The same for a leader that hands over to a challenger.
func TestSpansOfALateHandOver(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		spans, tracer := tc.traced()
		low := tc.process("low", tracer)
		tc.initialize()
		other := tc.other(-1)
		taken, wasTaken := once(tc.commits("low", "leader"), func(context.Context, *memkv.Call) error { return tc.takesOver(other) })
		low.run(tc.Context(), func(ctx context.Context, _ *elector.Leadership) error {
			<-ctx.Done()
			tc.before(taken)
			return nil
		})
		low.leads()
		tc.begin("high", priority(1)).leads()
		require.True(tc, wasTaken())
		time.Sleep(heartbeat) // the hand-over is tried again
		handOver := spans.last(elector.SpanHandOver)
		require.Equal(tc, "hand over: lost", handOver.String())
		require.NoError(tc, handOver.end.Err)
		low.stop()
	})
}

// If the challenger dies while the work stops, the leader keeps leadership. If another process
// takes it meanwhile, it is lost.
func TestSpansOfADrainWithoutAHandOver(t *testing.T) {
	for want, meanwhile := range map[string]func(tc *cluster){
		"hand over: kept": func(*cluster) {},
		"hand over: lost": func(tc *cluster) {
			tc.begin("c").enters(elector.StateFollower)
			require.NoError(tc, tc.db.Transact(tc.Context(), func(tr kv.Transaction) error {
				_, err := tc.election.TransferLeadership(tr, tc.leader().Token(), "c", nonce(1), time.Now())
				return err
			}))
		},
	} {
		t.Run(want, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				spans, tracer := tc.traced()
				low := tc.process("low", tracer)
				low.works(5 * heartbeat / 2)
				low.leads()
				high := tc.begin("high", priority(1))
				low.enters(elector.StateCandidate)
				high.Abandon()
				meanwhile(tc)
				low.enters(map[bool]elector.State{true: elector.StateLeader, false: elector.StateFollower}[want == "hand over: kept"])
				time.Sleep(3 * heartbeat)
				require.Equal(tc, want, spans.last(elector.SpanHandOver).String())
				require.Equal(tc, 5*heartbeat/2, spans.last(elector.SpanHandOver).end.WorkTook)
				low.Abandon()
			})
		})
	}
}

// A release that fails until the lease is over, or until the process gives up, is reported.
func TestSpansOfAFailedRelease(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		spans, tracer := tc.traced()
		a := tc.process("a", tracer)
		lead, err := a.Campaign(tc.Context())
		require.NoError(tc, err)
		tc.before(fail(errDisk))
		require.NoError(tc, lead.Resign(tc.Context()))
		handOver := spans.last(elector.SpanHandOver)
		require.Equal(tc, "hand over: failed", handOver.String())
		require.ErrorIs(tc, handOver.end.Err, errDisk)
		require.Equal(tc, elector.ReasonWorkReturned, handOver.start.Reason)

		tc.before(nil)
		lead, err = a.Campaign(tc.Context())
		require.NoError(tc, err)
		tc.before(fail(errDisk))
		require.ErrorIs(tc, a.Stop(tc.Context()), errDisk)
		require.Error(tc, lead.LeaseContext().Err())
		handOver = spans.last(elector.SpanHandOver)
		require.Equal(tc, "hand over: failed", handOver.String())
		require.Equal(tc, uint64(2), handOver.start.Term)
		var left *elector.LeaveError
		require.ErrorAs(tc, handOver.end.Err, &left)
	})
}

// StopAndHandOver hands over to the named successor. If there is none, the span has the error.
func TestSpansOfASuccession(t *testing.T) {
	for to, want := range map[string]string{"b": "hand over: handed over", "c": "hand over: resigned"} {
		inCluster(t, func(tc *cluster) {
			spans, tracer := tc.traced()
			accepting, successor := tc.traced()
			a := tc.begin("a", tracer)
			a.leads()
			b := tc.begin("b", successor)
			b.enters(elector.StateFollower)
			err := a.StopAndHandOver(tc.Context(), to)
			handOver := spans.last(elector.SpanHandOver)
			require.Equal(tc, want, handOver.String())
			require.Equal(tc, err != nil, handOver.end.Err != nil)
			b.leads()
			require.Equal(tc, "claim: elected", accepting.last(elector.SpanClaim).String())
		})
	}
}
