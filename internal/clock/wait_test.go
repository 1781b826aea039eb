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

// A wait ends with what comes first, and says if it was done.
func TestAwait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, done := time.Now(), make(chan struct{})
		ended, err := clock.Await(t.Context(), halfSpeed{}, time.Second, done)
		require.NoError(t, err)
		require.False(t, ended)
		require.Equal(t, 2*time.Second, time.Since(begin))
		stop := clock.AfterFunc(time.Second, func() { close(done) })
		ended, err = clock.Await(t.Context(), halfSpeed{}, time.Hour, done)
		require.NoError(t, err)
		require.True(t, ended)
		require.Equal(t, 3*time.Second, time.Since(begin))
		require.False(t, stop(), "it is not pending any more")
		require.Equal(t, time.Now(), clock.Wall())
	})
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
