package demo

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// virtualClock is a clock in the virtual time of a test. Its wall clock is a year behind.
type virtualClock struct{}

func (virtualClock) Now() time.Time  { return time.Now() }
func (virtualClock) Wall() time.Time { return time.Now().AddDate(-1, 0, 0) }

func (virtualClock) AfterFunc(d time.Duration, f func()) elector.Timer { return time.AfterFunc(d, f) }

func TestFaster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start, wall := virtualClock{}.Now(), virtualClock{}.Wall()
		c := faster(virtualClock{}, 10)
		require.Equal(t, start, c.Now(), "it starts at the time of the clock below")
		require.Equal(t, wall, c.Wall())

		require.NoError(t, clock.Sleep(t.Context(), c, 30*time.Second))
		require.Equal(t, 3*time.Second, time.Since(start))
		require.Equal(t, 30*time.Second, c.Now().Sub(start))
		require.Equal(t, 30*time.Second, c.Wall().Sub(wall))

		ctx, cancel := clock.WithTimeout(t.Context(), c, 10*time.Second)
		defer cancel()
		<-ctx.Done()
		require.ErrorIs(t, context.Cause(ctx), context.DeadlineExceeded)
		require.Equal(t, 40*time.Second, c.Now().Sub(start))

		fired := make(chan time.Duration, 1)
		timer := c.AfterFunc(time.Hour, func() { fired <- c.Now().Sub(start) })
		timer.Reset(20 * time.Second)
		require.Equal(t, time.Minute, <-fired, "a timer also runs faster after Reset")
	})
}
