package elector_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// checkedBy lets a process call ready every second.
func checkedBy(ready func(ctx context.Context) error) setting {
	return func(_ *process, o *elector.Options) { o.Ready = ready }
}

// toggle is a readiness check that returns what was set last.
type toggle struct{ reason atomic.Pointer[string] }

func (c *toggle) set(reason string) { c.reason.Store(&reason) }

func (c *toggle) ready(context.Context) error {
	if reason := c.reason.Load(); reason != nil && *reason != "" {
		return errors.New(*reason)
	}
	return nil
}

// reasonOf waits for a second and returns why a candidate is not ready, by its record.
func (tc *cluster) reasonOf(id string) string {
	tc.Helper()
	time.Sleep(heartbeat + time.Second)
	return tc.candidate(id).NotReady
}

// TestReadinessReasons: the reason in the record is one short line, whatever the check does.
func TestReadinessReasons(t *testing.T) {
	for name, c := range map[string]struct {
		check func(context.Context) error
		want  string
	}{
		"an error":      {func(context.Context) error { return errors.New("disk full") }, "disk full"},
		"two lines":     {func(context.Context) error { return errors.New("disk\n\nfull\x1b[2J") }, `"disk; full\x1b[2J"`},
		"no text":       {func(context.Context) error { return errors.New("") }, "no reason is given"},
		"a long text":   {func(context.Context) error { return errors.New(strings.Repeat("é", 1<<20)) }, strings.Repeat("é", 127)},
		"a panic":       {func(context.Context) error { panic("boom") }, "the readiness check has panicked: panic: boom"},
		"it is late":    {func(ctx context.Context) error { <-ctx.Done(); return nil }, "the readiness check did not return within 1s"},
		"its own limit": {func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }, "the readiness check did not return within 1s"},
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				p := tc.begin("a", checkedBy(c.check))
				require.Equal(tc, c.want, tc.reasonOf("a"))
				require.Equal(tc, c.want, p.ClusterState().NotReady)
				require.Equal(tc, elector.StateCandidate, p.State())
				p.stop()
			})
		})
	}
}

// TestReadinessCheckThatDoesNotReturn: it is not called again before it has returned, and does
// not delay Stop.
func TestReadinessCheckThatDoesNotReturn(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		var calls atomic.Int64
		release := make(chan struct{})
		p := tc.begin("a", checkedBy(func(context.Context) error {
			if calls.Add(1) == 2 {
				<-release
			}
			return nil
		}))
		p.leads()
		time.Sleep(time.Minute)
		require.EqualValues(tc, 2, calls.Load())
		require.Equal(tc, elector.ReasonNotReady, p.reasons()[len(p.reasons())-1])
		begin := time.Now()
		p.stop()
		require.Less(tc, time.Since(begin), soon)
		close(release)
	})
}

// TestReadinessIsLogged: once when it changes, and a panic with its stack is an error too.
func TestReadinessIsLogged(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		var log journal
		check := &toggle{}
		p := tc.begin("a", checkedBy(check.ready), logTo(&log, slog.LevelInfo))
		p.leads()
		check.set("cold")
		time.Sleep(5 * time.Second)
		check.set("colder")
		time.Sleep(5 * time.Second)
		check.set("")
		time.Sleep(5 * time.Second)
		var lines []string
		for _, line := range log.lines() {
			if strings.Contains(line, `msg="not ready"`) || strings.Contains(line, "msg=ready") {
				lines = append(lines, line)
			}
		}
		require.Len(tc, lines, 3, "%q", lines)
		require.Contains(tc, lines[0], "msg=ready")
		require.Contains(tc, lines[1], `msg="not ready"`)
		require.Contains(tc, lines[1], "reason=cold")
		require.Contains(tc, lines[2], "msg=ready")
		p.stop()
		require.Empty(tc, p.Errors())
	})
}

// TestReadinessPanicIsReported: in Errors, once.
func TestReadinessPanicIsReported(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.begin("a", checkedBy(func(context.Context) error { panic("boom") }))
		time.Sleep(10 * time.Second)
		var panicked *elector.PanicError
		require.ErrorAs(tc, <-p.Errors(), &panicked)
		require.Equal(tc, "boom", panicked.Value)
		require.Empty(tc, p.Errors())
		p.stop()
	})
}

// TestReadinessFlips: each tenure that ends because the process is not ready doubles the
// hold-off. Its successor leads in peace.
func TestReadinessFlips(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		check := &toggle{}
		a := tc.begin("a", checkedBy(check.ready), priority(5))
		a.leads()
		for i, leases := range []int{1, 2, 4} {
			check.set("cold")
			time.Sleep(2 * time.Second)
			require.False(tc, a.Leading())
			check.set("")
			lost := time.Now()
			a.leads()
			held := time.Since(lost) + 2*time.Second
			require.GreaterOrEqual(tc, held, time.Duration(leases)*lease)
			require.LessOrEqual(tc, held, time.Duration(leases)*lease+2*heartbeat)
			require.Equal(tc, i+1, a.ClusterState().Failures)
		}
		a.stop()
	})
}

// TestReadinessInEveryMode: Run, Start and Campaign check it, and Subscribe does not.
func TestReadinessInEveryMode(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		var calls atomic.Int64
		count := checkedBy(func(context.Context) error { calls.Add(1); return nil })
		subscriber := tc.process("s", count)
		ctx, stop := context.WithCancel(tc.Context())
		subscriber.Subscribe(ctx)
		time.Sleep(10 * time.Second)
		require.Zero(tc, calls.Load())
		stop()

		p := tc.process("a", count)
		for range 3 { // a new session each time
			calls.Store(0)
			lead, err := p.Campaign(tc.Context())
			require.NoError(tc, err)
			time.Sleep(10*time.Second + time.Second/2) // not at the instant of a check
			require.NoError(tc, lead.Resign(tc.Context()))
			p.stop()
			n := calls.Load()
			require.InDelta(tc, 11, n, 1)
			time.Sleep(10 * time.Second)
			require.Equal(tc, n, calls.Load(), "it ends with the session")
		}
	})
}

// TestReadinessInTheSteadyState: checks that return the same cost no commit and no read.
func TestReadinessInTheSteadyState(t *testing.T) {
	cost := func(settings ...setting) (commits, reads int) {
		inCluster(t, func(tc *cluster) {
			a := tc.begin("a", settings...)
			a.leads()
			b := tc.begin("b", settings...)
			b.enters(elector.StateFollower)
			time.Sleep(10 * lease)
			var committed, read atomic.Int64
			tc.before(func(_ context.Context, c *memkv.Call) error {
				if c.Kind == memkv.CallCommit {
					committed.Add(1)
				} else {
					read.Add(1)
				}
				return nil
			})
			time.Sleep(100 * lease)
			commits, reads = int(committed.Load()), int(read.Load())
			a.stop()
			b.stop()
		})
		return commits, reads
	}
	commits, reads := cost()
	withCommits, withReads := cost(checkedBy((&toggle{}).ready))
	require.InDelta(t, commits, withCommits, float64(commits)/50)
	require.InDelta(t, reads, withReads, float64(reads)/20) // incarnations are random, and so are small delays
}
