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
	inCluster(t, func(tc *cluster) {
		ctx, cancel := context.WithCancelCause(tc.Context())
		p := tc.process("a")
		p.run(ctx, untilAsked)
		p.leads()
		cancel(errWork)
		require.NoError(tc, within(tc, p.result, "its end"))
		require.True(tc, tc.leader().Vacant())
		require.Empty(tc, tc.candidates())
		require.ErrorIs(tc, p.Run(ctx, untilAsked), errWork, "it had ended before")
		require.Empty(tc, p.Errors())
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
		time.Sleep(tc.config.CandidateTimeout) // everybody knows of everybody
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
		require.NoError(tc, within(tc, p.result, "its end"))
		require.True(tc, tc.leader().Vacant())
		require.Empty(tc, tc.candidates())
		require.Empty(tc, p.Errors())
	})
}

// A panic passes through Run, and the elector leaves behind it.
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
		synctest.Wait() // the callback that tells of it comes before the end of the session
		p.run(tc.Context(), untilAsked)
		p.leads()
	})
}

// Work is never run twice at a time, and once for each tenure.
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

// Work that does not stop has its drain limit, while the lease is renewed; the
// seat is given up after it, and Run returns when the work has.
func TestWorkDoesNotStop(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		hold := make(chan struct{})
		p := tc.process("a")
		tenures := p.tenures(hold)
		lead := within(tc, tenures, "leadership")
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		time.Sleep(heartbeat / 2)
		asked := time.Now()
		require.NoError(tc, p.Stop(tc.Context()))
		require.Equal(tc, drain, time.Since(asked))
		require.Error(tc, lead.LeaseContext().Err())
		b.leads()
		require.Equal(tc, drain, time.Since(asked).Truncate(soon))
		require.Empty(tc, p.result)
		close(hold)
		require.NoError(tc, within(tc, p.result, "its end"))
	})
}

// Resign within Run asks the work to stop; the seat is given up once it has.
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
			return untilAsked(ctx, lead)
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

// The values of the caller's context reach the work, and its end does not end
// the lease.
func TestContextOfTheWork(t *testing.T) {
	type key struct{}
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		watching, unwatch := context.WithCancel(tc.Context())
		defer unwatch()
		p.Subscribe(watching) // which does not have the value
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
		require.NoError(tc, within(tc, p.result, "its end"))
	})
}
