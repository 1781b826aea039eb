package elector_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

func ready(check func(context.Context) error) setting {
	return func(_ *process, o *elector.Options) { o.Ready = check }
}

func notReadyUntil(is *atomic.Bool) setting {
	return ready(func(context.Context) error {
		if is.Load() {
			return nil
		}
		return errors.New("cold")
	})
}

// badError is an error whose text cannot be had.
type badError struct{ text *string }

func (e badError) Error() string { return *e.text }

// A check that fails in an odd way counts as not ready. The reason can be stored, and the
// process works.
func TestOddReadinessChecks(t *testing.T) {
	for name, c := range map[string]struct {
		check func(context.Context) error
		want  string
	}{
		"a panic":                    {func(context.Context) error { panic("boom") }, "the readiness check has panicked: panic: boom"},
		"an error that panics":       {func(context.Context) error { return badError{} }, "the readiness check has panicked: panic: "},
		"it ends its goroutine":      {func(context.Context) error { runtime.Goexit(); return nil }, "the readiness check has ended its goroutine"},
		"no text":                    {func(context.Context) error { return errors.New("\n ") }, "no reason is given"},
		"a long text":                {func(context.Context) error { return errors.New(strings.Repeat("ä", 1<<19)) }, "äää"},
		"a text that is not UTF-8":   {func(context.Context) error { return errors.New(strings.Repeat("\xff", 1<<20)) }, `"\xff\xff`},
		"commands of a terminal":     {func(context.Context) error { return errors.New("\x1b[2Jcold") }, `"\x1b[2Jcold"`},
		"several lines":              {func(context.Context) error { return errors.New("cold\r\n\tvery") }, "cold; very"},
		"it ignores its context":     {func(context.Context) error { time.Sleep(time.Minute); return nil }, "the readiness check did not return within 1s"},
		"it returns at its deadline": {func(ctx context.Context) error { <-ctx.Done(); return nil }, "the readiness check did not return within 1s"},
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				p := tc.begin("a", ready(c.check))
				time.Sleep(10 * time.Second)
				got := tc.candidate("a").NotReady
				require.Contains(tc, got, c.want)
				require.LessOrEqual(tc, len(got), election.MaxReasonBytes)
				require.True(tc, utf8.ValidString(got))
				require.Equal(tc, got, p.ClusterState().NotReady)
				require.NoError(tc, p.Health(tc.Context()))
				require.False(tc, p.Leading())
				p.stop()
				time.Sleep(time.Minute) // until the check has returned
			})
		})
	}
}

// A check that never returns neither holds up Stop nor is called again by the next Start.
func TestAReadinessCheckThatHangs(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		var running atomic.Int32
		hang := make(chan struct{})
		p := tc.process("a", ready(func(context.Context) error {
			running.Add(1)
			defer running.Add(-1)
			<-hang
			return nil
		}))
		for range 5 {
			require.NoError(tc, p.Start(tc.Context()))
			time.Sleep(5 * time.Second)
			require.Equal(tc, "the readiness check did not return within 1s", tc.candidate("a").NotReady)
			began := time.Now()
			p.stop()
			require.Less(tc, time.Since(began), soon)
		}
		require.Equal(tc, int32(1), running.Load())
		require.NoError(tc, p.Start(tc.Context()))
		close(hang)
		p.leads()
		p.stop()
	})
}

// Campaign says that the process is not ready, if it does not win in time.
func TestCampaignOfAProcessThatIsNotReady(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		var is atomic.Bool
		p := tc.process("a", notReadyUntil(&is))
		ctx, cancel := context.WithTimeout(tc.Context(), 10*time.Second)
		defer cancel()
		_, err := p.Campaign(ctx)
		require.ErrorIs(tc, err, context.DeadlineExceeded)
		require.ErrorIs(tc, err, fdbelection.ErrNotReady)
		require.ErrorContains(tc, err, "cold")
		is.Store(true)
		lead, err := p.Campaign(tc.Context())
		require.NoError(tc, err)
		require.NoError(tc, lead.Resign(tc.Context()))
		p.stop()
	})
}

// The shortest interval and limit do no harm, and a check is made only by a session that may
// lead.
func TestTheShortestReadyInterval(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		var calls atomic.Int32
		p := tc.process("a", ready(func(context.Context) error { calls.Add(1); return nil }), func(_ *process, o *elector.Options) {
			o.ReadyInterval, o.ReadyLimit = 1, 1
		})
		ctx, cancel := context.WithCancel(tc.Context())
		p.Subscribe(ctx)
		time.Sleep(time.Second)
		require.Zero(tc, calls.Load())
		require.NoError(tc, p.Start(tc.Context()))
		cancel()
		time.Sleep(10 * time.Microsecond)
		require.Positive(tc, calls.Load())
		p.stop()
		stopped := calls.Load()
		time.Sleep(time.Second)
		require.Equal(tc, stopped, calls.Load())
	})
}

// A readiness that does not change costs no read and no commit. The phases of the candidates are
// random, and so the costs vary by a few per cent. A read with each check would double them.
func TestTheCostOfReadiness(t *testing.T) {
	cost := func(settings ...setting) (used memkv.Counters) {
		inCluster(t, func(tc *cluster) {
			for _, id := range []string{"a", "b", "c"} {
				tc.begin(id, settings...)
				time.Sleep(10 * time.Second)
			}
			before := tc.db.Counters()
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			used = tc.db.Counters().Sub(before)
		})
		return used
	}
	without, with := cost(), cost(ready(func(context.Context) error { return nil }))
	require.InEpsilon(t, without.Commits, with.Commits, 0.1)
	require.InEpsilon(t, without.Transactions, with.Transactions, 0.1)
	require.InEpsilon(t, without.Reads, with.Reads, 0.1)
}

// A panic is logged once, with the reason.
func TestAReadinessPanicIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	inCluster(t, func(tc *cluster) {
		p := tc.begin("a", logTo(&log, slog.LevelWarn), ready(func(context.Context) error { panic("boom") }))
		time.Sleep(time.Minute)
		p.stop()
	})
	require.Equal(t, 1, strings.Count(log.String(), "readiness check failed"), log.String())
}

// Readiness of a process that has not started, is not ready, is ready, and has stopped. An outage
// of the store costs a leader its readiness, and a follower nothing.
func TestReadiness(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		var is atomic.Bool
		a, b := tc.process("a", notReadyUntil(&is)), tc.process("b")
		require.Equal(tc, elector.ErrNotRunning, a.Readiness(tc.Context()))
		require.NoError(tc, a.Start(tc.Context()))
		time.Sleep(5 * time.Second)
		require.ErrorIs(tc, a.Readiness(tc.Context()), fdbelection.ErrNotReady)
		require.EqualError(tc, a.Readiness(tc.Context()), "not ready to lead: cold")
		is.Store(true)
		a.leads()
		require.NoError(tc, a.Readiness(tc.Context()))
		require.NoError(tc, b.Start(tc.Context()))
		b.enters(elector.StateFollower)
		tc.before(fail(errDisk))
		a.enters(elector.StateJeopardy)
		require.ErrorIs(tc, a.Readiness(tc.Context()), elector.ErrUnrenewed)
		require.NoError(tc, b.Readiness(tc.Context()))
		a.Abandon()
		b.Abandon()
		require.Equal(tc, elector.ErrNotRunning, b.Readiness(tc.Context()))
	})
}
