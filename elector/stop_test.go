package elector_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
)

// ended returns a context that has ended, with errWork as its cause.
func (tc *cluster) ended() context.Context {
	ctx, cancel := context.WithCancelCause(tc.Context())
	cancel(errWork)
	return ctx
}

// Stop may be called with the context of Start after that has ended. The process still leaves
// in order.
func TestStopWithTheEndedContextOfStart(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		ctx, cancel := context.WithCancelCause(tc.Context())
		p := tc.process("a")
		require.NoError(tc, p.Start(ctx))
		p.leads()
		cancel(errWork)
		require.ErrorIs(tc, p.Stop(ctx), errWork)
		require.NoError(tc, p.Stop(tc.Context()), "a second call waits for the rest")
		require.True(tc, tc.leader().Vacant())
		require.Empty(tc, tc.candidates())
		require.Equal(tc, elector.StateStopped, p.enters(elector.StateStopped).To)
		require.Empty(tc, p.Errors())
	})
}

// The context of Stop limits only how long Stop waits. The work still has its time to stop,
// leadership is released after it, and the callbacks are called.
func TestStopGoesOnAfterItsContext(t *testing.T) {
	uses := map[string]func(tc *cluster, p *process, hold chan struct{}) (end func()){
		"Start": func(tc *cluster, p *process, _ chan struct{}) func() {
			require.NoError(tc, p.Start(tc.Context()))
			p.leads()
			return func() {}
		},
		"Run": func(tc *cluster, p *process, hold chan struct{}) func() {
			p.run(tc.Context(), func(context.Context, *elector.Leadership) error { <-hold; return nil })
			p.leads()
			return func() { require.NoError(tc, within(tc, p.result, "the end of Run")) }
		},
		"Campaign": func(tc *cluster, p *process, hold chan struct{}) func() {
			lead, err := p.Campaign(tc.Context())
			require.NoError(tc, err)
			go func() { <-hold; p.result <- lead.Resign(tc.Context()) }()
			return func() { require.NoError(tc, within(tc, p.result, "the end of Resign")) }
		},
	}
	for name, use := range uses {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				demoted, hold := make(chan struct{}), make(chan struct{})
				p := tc.process("a", callbacks(func(c *elector.Callbacks) {
					c.OnDemoted = func(context.Context, elector.Transition) { <-hold; close(demoted) }
				}))
				end := use(tc, p, hold)
				for range 3 {
					require.ErrorIs(tc, p.Stop(tc.ended()), errWork)
				}
				synctest.Wait()
				require.False(tc, p.Leading())
				require.ErrorIs(tc, p.Start(tc.Context()), elector.ErrRunning, "the elector is leaving")
				time.Sleep(drain / 2)
				require.Equal(tc, "a", tc.leader().ID, "held for the work")
				close(hold)
				within(tc, demoted, "OnDemoted")
				end()
				require.NoError(tc, p.Stop(tc.Context()))
				require.True(tc, tc.leader().Vacant())
				require.Empty(tc, tc.candidates())
				require.NoError(tc, p.Start(tc.Context()))
				p.leads()
			})
		})
	}
}

// If an outage ends within the leave limit, leadership is still released.
func TestLeavingSurvivesAnOutage(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.begin("a")
		p.leads()
		tc.before(of("a", hang))
		ctx, cancel := context.WithTimeout(tc.Context(), time.Second)
		defer cancel()
		require.ErrorIs(tc, p.Stop(ctx), context.DeadlineExceeded)
		require.Equal(tc, "a", tc.leader().ID)
		require.NotEqual(tc, elector.StateStopped, p.State())
		tc.before(nil)
		require.NoError(tc, p.Stop(tc.Context()))
		require.True(tc, tc.leader().Vacant())
		require.Empty(tc, tc.candidates())
	})
}

// If leaving fails after Stop has returned, that is reported, and a later call of Stop returns
// it.
func TestFailedLeavingIsReported(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		var log journal
		p := tc.begin("a", logTo(&log, slog.LevelWarn))
		p.leads()
		tc.before(of("a", hang))
		left := time.Now()
		require.ErrorIs(tc, p.Stop(tc.ended()), errWork)
		p.enters(elector.StateStopped)
		require.InDelta(tc, leaveLimit, time.Since(left), float64(soon))
		var leaveErr *elector.LeaveError
		require.ErrorAs(tc, p.Stop(tc.Context()), &leaveErr)
		require.ErrorAs(tc, p.Stop(tc.ended()), &leaveErr, "there is nothing to wait for")
		reported := false
		for len(p.Errors()) > 0 {
			var e *elector.LeaveError
			reported = reported || errors.As(<-p.Errors(), &e)
		}
		require.True(tc, reported)
		require.Contains(tc, strings.Join(log.lines(), "\n"), "stopped with an error")
		tc.before(nil)
	})
}

// Stop and Resign return the result even if their context has ended, if there is nothing to
// wait for.
func TestEndedContextAndNothingToWaitFor(t *testing.T) {
	for range 20 { // a select would choose at random
		inCluster(t, func(tc *cluster) {
			p := tc.process("a")
			require.NoError(tc, p.Stop(tc.ended()))
			lead, err := p.Campaign(tc.Context())
			require.NoError(tc, err)
			require.NoError(tc, lead.Resign(tc.Context()))
			require.NoError(tc, lead.Resign(tc.ended()))
			p.stop()
			require.NoError(tc, p.Stop(tc.ended()))
		})
	}
}

// Leadership is released even if the context of Resign ends first.
func TestResignGoesOnAfterItsContext(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		lead, err := p.Campaign(tc.Context())
		require.NoError(tc, err)
		require.ErrorIs(tc, lead.Resign(tc.ended()), errWork)
		tc.until("vacant", election.LeaderRecord.Vacant)
		require.NoError(tc, lead.Resign(tc.Context()))
		require.True(tc, tc.listed("a"))
	})
}
