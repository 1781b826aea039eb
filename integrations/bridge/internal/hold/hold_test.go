package hold

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/elector"
)

// virtual is the clock of a bubble of testing/synctest. Its timers do not count the time for which the
// machine was suspended.
type virtual struct{ suspended time.Duration }

func (v *virtual) Now() time.Time                                    { return time.Now().Add(v.suspended) }
func (v *virtual) Wall() time.Time                                   { return time.Now() }
func (v *virtual) AfterFunc(d time.Duration, f func()) elector.Timer { return time.AfterFunc(d, f) }

const lease = 30 * time.Second

func TestHoldEndsByTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := &virtual{}
		h := New(clock, clock.Now().Add(lease))
		time.Sleep(lease / 2)
		require.True(t, h.Extend(clock.Now().Add(lease)))
		require.True(t, h.Extend(clock.Now()), "an earlier end changes nothing")
		time.Sleep(lease - time.Millisecond)
		require.True(t, h.Holds())
		time.Sleep(2 * time.Millisecond)
		<-h.Lost()
		require.False(t, h.Holds())
		require.False(t, h.Extend(clock.Now().Add(lease)), "what has ended stays ended")
		require.False(t, h.Holds())
		h.End()
	})
}

// After a suspension the end is seen at the next call, and Lost is closed within a second.
func TestSuspension(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := &virtual{}
		h := New(clock, clock.Now().Add(lease))
		asked := New(clock, clock.Now().Add(lease))
		time.Sleep(time.Millisecond)
		clock.suspended = lease
		require.False(t, asked.Holds())
		<-asked.Lost()
		resumed := time.Now()
		<-h.Lost()
		require.LessOrEqual(t, time.Since(resumed), time.Second)
	})
}

// A renewal counts from before its attempt. An attempt without an answer ends, and is repeated.
func TestKeep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := &virtual{}
		h := New(clock, clock.Now().Add(Trust(lease)))
		ctx, cancel := context.WithCancel(t.Context())
		attempts := make(chan time.Time, 100)
		answer := func(context.Context) (bool, error) { return true, nil }
		kept := make(chan struct{})
		go func() {
			defer close(kept)
			h.Keep(ctx, lease, func(ctx context.Context) (bool, error) {
				attempts <- time.Now()
				return answer(ctx)
			})
		}()
		begun := time.Now()
		for n := range 3 {
			require.Equal(t, time.Duration(n+1)*lease/3, (<-attempts).Sub(begun))
		}
		answer = func(ctx context.Context) (bool, error) { // slow
			timer := time.NewTimer(5 * time.Second)
			<-timer.C
			return true, ctx.Err()
		}
		slow := <-attempts
		synctest.Wait()
		answer = func(context.Context) (bool, error) { return false, errors.New("connection refused") }
		refused := <-attempts
		synctest.Wait()
		answer = func(ctx context.Context) (bool, error) { // none
			<-ctx.Done()
			return false, ctx.Err()
		}
		require.Equal(t, lease/10, (<-attempts).Sub(refused), "sooner after an error")
		<-h.Lost()
		require.Equal(t, Trust(lease), time.Since(slow), "from before the slow attempt")
		<-kept
		require.Less(t, time.Since(slow), lease*3/2, "an attempt without an answer ends")
		cancel()

		lost := New(clock, clock.Now().Add(lease))
		lost.Keep(t.Context(), lease, func(context.Context) (bool, error) { return false, nil })
		require.False(t, lost.Holds(), "another holds the lock")

		stopped := New(clock, clock.Now().Add(lease))
		ended, end := context.WithCancel(t.Context())
		end()
		stopped.Keep(ended, lease, func(context.Context) (bool, error) { return false, errors.New("not reached") })
		require.True(t, stopped.Holds(), "the caller ends it")
		stopped.End()
	})
}
