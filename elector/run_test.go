package elector_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector"
)

var errWork = errors.New("the payments do not add up")

// untilAsked works until it is asked to stop.
func untilAsked(ctx context.Context, _ *elector.Leadership) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestRunLeavesWithItsContext(t *testing.T) {
	inWorld(t, func(w *world) {
		ctx, cancel := context.WithCancelCause(w.Context())
		p := w.process("a")
		p.run(ctx, untilAsked)
		p.leads()
		cancel(errWork)
		require.NoError(w, within(w, p.result, "its end"))
		require.True(w, w.seat().Vacant())
		require.Empty(w, w.candidates())
		require.ErrorIs(w, p.Run(ctx, untilAsked), errWork, "it had ended before")
		require.Empty(w, p.Errors())
	})
}

// Work that returns gives up the seat, to others first; with an error it is
// reported, and stays out for a lease.
func TestWorkReturns(t *testing.T) {
	for name, test := range map[string]struct {
		err    error
		pauses time.Duration
	}{
		"nil":      {nil, heartbeat},
		"an error": {errWork, lease},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				p := w.process("a")
				began := make(chan time.Time, 100)
				p.run(w.Context(), func(context.Context, *elector.Leadership) error {
					began <- time.Now()
					return test.err
				})
				first := within(w, began, "work")
				second := within(w, began, "work again")
				require.InDelta(w, test.pauses, second.Sub(first), float64(soon))
				if test.err != nil {
					var failed *elector.WorkError
					require.ErrorAs(w, <-p.Errors(), &failed)
					require.ErrorIs(w, failed, errWork)
					require.Equal(w, uint64(1), failed.Term)
					require.ErrorAs(w, <-p.Errors(), &failed)
					require.Equal(w, uint64(2), failed.Term)
				}
				require.Empty(w, p.Errors())
			})
		})
	}
}

func TestWorkReturnsAndOthersGoFirst(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.process("a", priority(5))
		done := make(chan struct{})
		a.run(w.Context(), func(ctx context.Context, _ *elector.Leadership) error {
			select {
			case <-done:
			case <-ctx.Done():
			}
			return nil
		})
		a.leads()
		w.reconfigure(func(c *fdbelection.Config) { c.AllowPreemption = false })
		b := w.begin("b")
		b.enters(elector.StateFollower)
		time.Sleep(w.config.CandidateTimeout) // everybody knows of everybody
		close(done)
		returned := time.Now()
		b.leads()
		require.Less(w, time.Since(returned), soon)
	})
}

func TestWorkIsDone(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.process("a")
		p.run(w.Context(), func(context.Context, *elector.Leadership) error { return elector.ErrDone })
		require.NoError(w, within(w, p.result, "its end"))
		require.True(w, w.seat().Vacant())
		require.Empty(w, w.candidates())
		require.Empty(w, p.Errors())
	})
}

// A panic passes through Run, and the elector leaves behind it.
func TestWorkPanics(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.process("a")
		panicked := make(chan any, 1)
		go func() {
			defer func() { panicked <- recover() }()
			_ = p.Run(w.Context(), func(context.Context, *elector.Leadership) error { panic(errWork) })
		}()
		require.Equal(w, errWork, within(w, panicked, "the panic"))
		p.enters(elector.StateStopped)
		require.True(w, w.seat().Vacant())
		require.Empty(w, w.candidates())
		synctest.Wait() // the callback that tells of it comes before the end of the session
		p.run(w.Context(), untilAsked)
		p.leads()
	})
}

// Work is never run twice at a time, and once for each tenure.
func TestWorkRunsOnceForEachTenure(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.process("a")
		tenures := p.tenures(nil)
		for term := range uint64(4) {
			lead := within(w, tenures, "leadership")
			require.Equal(w, term+1, lead.Term())
			w.before(fail(errDisk))
			<-lead.LeaseContext().Done()
			w.before(nil)
		}
	})
}

// Work that does not stop has its drain limit, while the lease is renewed; the
// seat is given up after it, and Run returns when the work has.
func TestWorkDoesNotStop(t *testing.T) {
	inWorld(t, func(w *world) {
		hold := make(chan struct{})
		p := w.process("a")
		tenures := p.tenures(hold)
		lead := within(w, tenures, "leadership")
		b := w.begin("b")
		b.enters(elector.StateFollower)
		time.Sleep(heartbeat / 2)
		asked := time.Now()
		require.NoError(w, p.Stop(w.Context()))
		require.Equal(w, drain, time.Since(asked))
		require.Error(w, lead.LeaseContext().Err())
		b.leads()
		require.Equal(w, drain, time.Since(asked).Truncate(soon))
		require.Empty(w, p.result)
		close(hold)
		require.NoError(w, within(w, p.result, "its end"))
	})
}

// Resign within Run asks the work to stop; the seat is given up once it has.
func TestResignWithinRun(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.process("a")
		hold := make(chan struct{})
		p.run(w.Context(), func(ctx context.Context, lead *elector.Leadership) error {
			if lead.Term() == 1 {
				require.NoError(w, lead.Resign(ctx))
				require.Error(w, ctx.Err())
				<-hold
				return nil
			}
			return untilAsked(ctx, lead)
		})
		p.leads()
		time.Sleep(drain * 3 / 4)
		require.Equal(w, "a", w.seat().ID)
		require.Greater(w, w.seat().Ballot, uint64(1), "renewed for the work")
		close(hold)
		synctest.Wait()
		require.True(w, w.seat().Vacant() || w.seat().Term == 2)
		require.Equal(w, uint64(2), p.leads().Term)
	})
}

// The values of the caller's context reach the work, and its end does not end
// the lease.
func TestContextOfTheWork(t *testing.T) {
	type key struct{}
	inWorld(t, func(w *world) {
		p := w.process("a")
		watching, unwatch := context.WithCancel(w.Context())
		defer unwatch()
		p.Subscribe(watching) // which does not have the value
		ctx, cancel := context.WithCancel(context.WithValue(w.Context(), key{}, "value"))
		p.run(ctx, func(ctx context.Context, lead *elector.Leadership) error {
			require.Equal(w, "value", ctx.Value(key{}))
			<-ctx.Done()
			require.NoError(w, lead.LeaseContext().Err())
			require.ErrorContains(w, context.Cause(ctx), "stopped")
			return nil
		})
		p.leads()
		cancel()
		require.NoError(w, within(w, p.result, "its end"))
	})
}
