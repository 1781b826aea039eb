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

var errWork = errors.New("a payment failed")

// untilStopped is work that runs until it is asked to stop.
func untilStopped(ctx context.Context, _ *elector.Leadership) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestRunLeavesWithItsContext(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		ctx, cancel := context.WithCancelCause(tc.Context())
		p := tc.process("a")
		p.run(ctx, untilStopped)
		p.leads()
		cancel(errWork)
		require.NoError(tc, within(tc, p.result, "the end of Run"))
		require.True(tc, tc.leader().Vacant())
		require.Empty(tc, tc.candidates())
		require.ErrorIs(tc, p.Run(ctx, untilStopped), errWork, "its context has already ended")
		require.Empty(tc, p.Errors())
	})
}

// If work returns, leadership is released and the process campaigns again after a heartbeat. If
// it returns an error, that is reported and the process holds off for a lease.
func TestWorkReturns(t *testing.T) {
	for name, test := range map[string]struct {
		err    error
		pauses time.Duration
	}{
		"nil":      {nil, heartbeat},
		"an error": {errWork, lease},
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				p := tc.process("a")
				began := make(chan time.Time, 100)
				p.run(tc.Context(), func(context.Context, *elector.Leadership) error {
					began <- time.Now()
					return test.err
				})
				first := within(tc, began, "work")
				second := within(tc, began, "work again")
				require.InDelta(tc, test.pauses, second.Sub(first), float64(soon))
				if test.err != nil {
					var failed *elector.WorkError
					require.ErrorAs(tc, <-p.Errors(), &failed)
					require.ErrorIs(tc, failed, errWork)
					require.Equal(tc, uint64(1), failed.Term)
					require.ErrorAs(tc, <-p.Errors(), &failed)
					require.Equal(tc, uint64(2), failed.Term)
				}
				require.Empty(tc, p.Errors())
			})
		})
	}
}

func TestWorkReturnsAndOthersGoFirst(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.process("a", priority(5))
		done := make(chan struct{})
		a.run(tc.Context(), func(ctx context.Context, _ *elector.Leadership) error {
			select {
			case <-done:
			case <-ctx.Done():
			}
			return nil
		})
		a.leads()
		tc.reconfigure(func(c *fdbelection.Config) { c.AllowPreemption = false })
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		time.Sleep(tc.config.CandidateTimeout) // until all know the candidates
		close(done)
		returned := time.Now()
		b.leads()
		require.Less(tc, time.Since(returned), soon)
	})
}

func TestWorkIsDone(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		p.run(tc.Context(), func(context.Context, *elector.Leadership) error { return elector.ErrDone })
		require.NoError(tc, within(tc, p.result, "the end of Run"))
		require.True(tc, tc.leader().Vacant())
		require.Empty(tc, tc.candidates())
		require.Empty(tc, p.Errors())
	})
}

// A panic passes through Run, and the elector leaves in the background.
func TestWorkPanics(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		panicked := make(chan any, 1)
		go func() {
			defer func() { panicked <- recover() }()
			_ = p.Run(tc.Context(), func(context.Context, *elector.Leadership) error { panic(errWork) })
		}()
		require.Equal(tc, errWork, within(tc, panicked, "the panic"))
		p.enters(elector.StateStopped)
		require.True(tc, tc.leader().Vacant())
		require.Empty(tc, tc.candidates())
		synctest.Wait() // until the session has ended
		p.run(tc.Context(), untilStopped)
		p.leads()
	})
}

// Work runs once for each tenure and never twice at a time.
func TestWorkRunsOnceForEachTenure(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		tenures := p.tenures(nil)
		for term := range uint64(4) {
			lead := within(tc, tenures, "leadership")
			require.Equal(tc, term+1, lead.Term())
			tc.before(fail(errDisk))
			<-lead.LeaseContext().Done()
			tc.before(nil)
		}
	})
}

// The lease is renewed for work that does not stop, up to the drain limit. Then leadership is
// released. Run returns when the work has returned.
func TestWorkDoesNotStop(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		hold := make(chan struct{})
		p := tc.process("a")
		tenures := p.tenures(hold)
		lead := within(tc, tenures, "leadership")
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		time.Sleep(heartbeat / 2)
		stopped := time.Now()
		require.NoError(tc, p.Stop(tc.Context()))
		require.Equal(tc, drain, time.Since(stopped))
		require.Error(tc, lead.LeaseContext().Err())
		b.leads()
		require.Equal(tc, drain, time.Since(stopped).Truncate(soon))
		require.Empty(tc, p.result)
		close(hold)
		require.NoError(tc, within(tc, p.result, "the end of Run"))
	})
}

// Resign within Run asks the work to stop. Leadership is released after the work has returned.
func TestResignWithinRun(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		hold := make(chan struct{})
		p.run(tc.Context(), func(ctx context.Context, lead *elector.Leadership) error {
			if lead.Term() == 1 {
				require.NoError(tc, lead.Resign(ctx))
				require.Error(tc, ctx.Err())
				<-hold
				return nil
			}
			return untilStopped(ctx, lead)
		})
		p.leads()
		time.Sleep(drain * 3 / 4)
		require.Equal(tc, "a", tc.leader().ID)
		require.Greater(tc, tc.leader().Ballot, uint64(1), "renewed for the work")
		close(hold)
		synctest.Wait()
		require.True(tc, tc.leader().Vacant() || tc.leader().Term == 2)
		require.Equal(tc, uint64(2), p.leads().Term)
	})
}

// The context of work carries the values of the caller's context. The end of that context does
// not end the lease.
func TestContextOfTheWork(t *testing.T) {
	type key struct{}
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		watching, unwatch := context.WithCancel(tc.Context())
		defer unwatch()
		p.Subscribe(watching) // its context does not have the value
		ctx, cancel := context.WithCancel(context.WithValue(tc.Context(), key{}, "value"))
		p.run(ctx, func(ctx context.Context, lead *elector.Leadership) error {
			require.Equal(tc, "value", ctx.Value(key{}))
			<-ctx.Done()
			require.NoError(tc, lead.LeaseContext().Err())
			require.ErrorContains(tc, context.Cause(ctx), "stopped")
			return nil
		})
		p.leads()
		cancel()
		require.NoError(tc, within(tc, p.result, "the end of Run"))
	})
}
