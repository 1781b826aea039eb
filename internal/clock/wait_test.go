package clock_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/clock"
)

// halfSpeed is a clock whose timers take twice as long.
type halfSpeed struct{}

func (halfSpeed) AfterFunc(d time.Duration, f func()) *time.Timer { return time.AfterFunc(2*d, f) }

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		require.NoError(t, clock.Sleep(t.Context(), halfSpeed{}, time.Minute))
		require.Equal(t, 2*time.Minute, time.Since(begin))
		require.NoError(t, clock.RealSleep(t.Context(), time.Minute))
		require.Equal(t, 3*time.Minute, time.Since(begin))
	})
}

func TestSleepEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, clock.Sleep(ctx, halfSpeed{}, time.Hour), context.Canceled)
	require.ErrorIs(t, clock.RealSleep(ctx, time.Hour), context.Canceled)
}

func TestWithTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		ctx, cancel := clock.WithTimeout(t.Context(), halfSpeed{}, time.Second)
		defer cancel()
		<-ctx.Done()
		require.ErrorIs(t, context.Cause(ctx), context.DeadlineExceeded)
		require.Equal(t, 2*time.Second, time.Since(begin))

		ctx, cancel = clock.WithTimeout(t.Context(), halfSpeed{}, time.Second)
		cancel()
		require.ErrorIs(t, context.Cause(ctx), context.Canceled)
	})
}
