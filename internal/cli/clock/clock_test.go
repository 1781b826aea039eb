package clock_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/cli/clock"
)

func TestFasterRunsFaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		below := clock.Real()
		c := clock.Faster(below, 10)
		start := below.Now()
		require.Equal(t, start, c.Now(), "it begins with the time of the clock below")

		require.NoError(t, clock.Sleep(t.Context(), c, 30*time.Second))
		require.Equal(t, 3*time.Second, below.Now().Sub(start))
		require.Equal(t, 30*time.Second, c.Now().Sub(start))

		ctx, cancel := c.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		<-ctx.Done()
		require.ErrorIs(t, ctx.Err(), context.DeadlineExceeded)
		require.Equal(t, 40*time.Second, c.Now().Sub(start))

		fired := make(chan time.Duration, 1)
		timer := c.AfterFunc(time.Hour, func() { fired <- c.Now().Sub(start) })
		timer.Reset(20 * time.Second)
		require.Equal(t, time.Minute, <-fired, "a timer that is set anew runs fast as well")
	})
}

func TestSleepEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, clock.Sleep(ctx, clock.Real(), time.Hour), context.Canceled)
}
