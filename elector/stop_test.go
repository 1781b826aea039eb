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
func (w *world) ended() context.Context {
	ctx, cancel := context.WithCancelCause(w.Context())
	cancel(errWork)
	return ctx
}

// A caller that stops with the context it started with, after that has ended,
// leaves in order all the same.
func TestStopWithTheEndedContextOfStart(t *testing.T) {
	inWorld(t, func(w *world) {
		ctx, cancel := context.WithCancelCause(w.Context())
		p := w.process("a")
		require.NoError(w, p.Start(ctx))
		p.leads()
		cancel(errWork)
		require.ErrorIs(w, p.Stop(ctx), errWork)
		require.NoError(w, p.Stop(w.Context()), "it waits for the rest")
		require.True(w, w.seat().Vacant())
		require.Empty(w, w.candidates())
		require.Equal(w, elector.StateStopped, p.enters(elector.StateStopped).To)
		require.Empty(w, p.Errors())
	})
}

// The context of Stop bounds how long it waits, and nothing else: the work has its
// time to stop, the seat is given up after it, and the callbacks are called.
func TestStopGoesOnAfterItsContext(t *testing.T) {
	uses := map[string]func(w *world, p *process, hold chan struct{}) (end func()){
		"Start": func(w *world, p *process, _ chan struct{}) func() {
			require.NoError(w, p.Start(w.Context()))
			p.leads()
			return func() {}
		},
		"Run": func(w *world, p *process, hold chan struct{}) func() {
			p.run(w.Context(), func(context.Context, *elector.Leadership) error { <-hold; return nil })
			p.leads()
			return func() { require.NoError(w, within(w, p.result, "the end of Run")) }
		},
		"Campaign": func(w *world, p *process, hold chan struct{}) func() {
			lead, err := p.Campaign(w.Context())
			require.NoError(w, err)
			go func() { <-hold; p.result <- lead.Resign(w.Context()) }()
			return func() { require.NoError(w, within(w, p.result, "the end of Resign")) }
		},
	}
	for name, use := range uses {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				demoted, hold := make(chan struct{}), make(chan struct{})
				p := w.process("a", callbacks(func(c *elector.Callbacks) {
					c.OnDemoted = func(context.Context, elector.Transition) { <-hold; close(demoted) }
				}))
				end := use(w, p, hold)
				for range 3 {
					require.ErrorIs(w, p.Stop(w.ended()), errWork)
				}
				synctest.Wait()
				require.False(w, p.believes())
				require.ErrorIs(w, p.Start(w.Context()), elector.ErrRunning, "it is leaving")
				time.Sleep(drain / 2)
				require.Equal(w, "a", w.seat().ID, "held for the work")
				close(hold)
				within(w, demoted, "OnDemoted")
				end()
				require.NoError(w, p.Stop(w.Context()))
				require.True(w, w.seat().Vacant())
				require.Empty(w, w.candidates())
				require.NoError(w, p.Start(w.Context()))
				p.leads()
			})
		})
	}
}

// An outage that ends within the limit for leaving costs no lease.
func TestLeavingSurvivesAnOutage(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.begin("a")
		p.leads()
		w.before(of("a", hang))
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		require.ErrorIs(w, p.Stop(ctx), context.DeadlineExceeded)
		require.Equal(w, "a", w.seat().ID)
		require.NotEqual(w, elector.StateStopped, p.State())
		w.before(nil)
		require.NoError(w, p.Stop(w.Context()))
		require.True(w, w.seat().Vacant())
		require.Empty(w, w.candidates())
	})
}

// Leaving that fails after Stop has returned is reported, and told to a later Stop.
func TestFailedLeavingIsReported(t *testing.T) {
	inWorld(t, func(w *world) {
		var log journal
		p := w.begin("a", logTo(&log, slog.LevelWarn))
		p.leads()
		w.before(of("a", hang))
		left := time.Now()
		require.ErrorIs(w, p.Stop(w.ended()), errWork)
		p.enters(elector.StateStopped)
		require.InDelta(w, elector.DefaultLeaveLimit, time.Since(left), float64(soon))
		var unsaid *elector.LeaveError
		require.ErrorAs(w, p.Stop(w.Context()), &unsaid)
		require.ErrorAs(w, p.Stop(w.ended()), &unsaid, "there is nothing to wait for")
		reported := false
		for len(p.Errors()) > 0 {
			var e *elector.LeaveError
			reported = reported || errors.As(<-p.Errors(), &e)
		}
		require.True(w, reported)
		require.Contains(w, strings.Join(log.lines(), "\n"), "stopped with an error")
		w.before(nil)
	})
}

// What is over already is told even to a caller whose context has ended.
func TestEndedContextAndNothingToWaitFor(t *testing.T) {
	for range 20 { // a select would choose at random
		inWorld(t, func(w *world) {
			p := w.process("a")
			require.NoError(w, p.Stop(w.ended()))
			lead, err := p.Campaign(w.Context())
			require.NoError(w, err)
			require.NoError(w, lead.Resign(w.Context()))
			require.NoError(w, lead.Resign(w.ended()))
			p.stop()
			require.NoError(w, p.Stop(w.ended()))
		})
	}
}

// The giving up of a seat goes on after the context of Resign.
func TestResignGoesOnAfterItsContext(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.process("a")
		lead, err := p.Campaign(w.Context())
		require.NoError(w, err)
		require.ErrorIs(w, lead.Resign(w.ended()), errWork)
		w.until("vacant", election.LeaderRecord.Vacant)
		require.NoError(w, lead.Resign(w.Context()))
		require.True(w, w.listed("a"))
	})
}
