package member_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/group/member"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// unready expects that a member is healthy and not ready, for a reason.
func unready(t *testing.T, m *member.Member, reason string) {
	t.Helper()
	require.NoError(t, m.Health(t.Context()))
	err := m.Readiness(t.Context())
	require.ErrorIs(t, err, fdbelection.ErrNotReady)
	require.EqualError(t, err, "not ready to lead: "+reason)
}

// Readiness through the life of a member. A short outage and a drain do not matter.
func TestReadiness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, 4)
		var why atomic.Pointer[error]
		set := func(err error) { why.Store(&err) }
		set(nil)
		a := p.member("a", func(o *member.Options) { o.Ready = func(context.Context) error { return *why.Load() } })
		require.ErrorContains(t, a.Readiness(t.Context()), "the member is not running")
		done := make(chan error, 1)
		go func() {
			done <- a.Run(t.Context(), func(ctx context.Context, _ *member.Shard) error {
				<-ctx.Done()
				time.Sleep(time.Second)
				return nil
			})
		}()
		synctest.Wait()
		unready(t, a, "it has just joined")
		time.Sleep(10 * time.Second)
		require.NoError(t, a.Readiness(t.Context()))

		set(errors.New("cold \x1b[2J"))
		time.Sleep(5 * time.Second)
		unready(t, a, `"cold \x1b[2J"`)
		set(nil)
		p.do(func(tr kv.Transaction) error { return p.group.Drain(tr, "a") })
		time.Sleep(10 * time.Second)
		require.Zero(t, a.Status().Leading)
		require.NoError(t, a.Readiness(t.Context()), "an operator drains it")

		p.broken.Store(true)
		time.Sleep(5 * time.Second)
		require.Equal(t, member.StateJeopardy, a.Status().State)
		require.NoError(t, a.Readiness(t.Context()))
		time.Sleep(10 * time.Second)
		unready(t, a, "it has not joined the group, or could not renew its session in time")
		p.broken.Store(false)
		p.do(func(tr kv.Transaction) error { _, err := p.group.Undrain(tr, "a"); return err })
		time.Sleep(20 * time.Second)
		require.Equal(t, 4, a.Status().Leading)
		require.NoError(t, a.Readiness(t.Context()))

		go func() { _ = a.Stop(t.Context()) }()
		synctest.Wait()
		require.Equal(t, 4, a.Status().Ending)
		unready(t, a, "it leaves the group")
		require.NoError(t, <-done)
		require.ErrorContains(t, a.Readiness(t.Context()), "the member is not running")
	})
}

// A member whose work stops because the session lapsed is not healthy, and so not ready.
func TestReadinessOfALapse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, 4)
		a := p.member("a")
		go func() {
			_ = a.Run(t.Context(), func(ctx context.Context, _ *member.Shard) error {
				<-ctx.Done()
				time.Sleep(time.Second)
				return nil
			})
		}()
		time.Sleep(10 * time.Second)
		p.broken.Store(true)
		var err error
		for err == nil {
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			err = a.Readiness(t.Context())
		}
		require.ErrorIs(t, err, elector.ErrUnrenewed)
		time.Sleep(2 * time.Second)
		unready(t, a, "it has not joined the group, or could not renew its session in time")
		a.Abandon()
		require.ErrorContains(t, a.Readiness(t.Context()), "the member is not running")
	})
}

// A member of a group that does not exist, and one that observes.
func TestReadinessOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, 4)
		router := p.member("router")
		p.broken.Store(true)
		require.NoError(t, router.Observe(t.Context()))
		synctest.Wait()
		require.EqualError(t, router.Readiness(t.Context()), "the member is not ready: it is reading the shards")
		p.broken.Store(false)
		require.NoError(t, router.WaitSynced(t.Context()))
		require.NoError(t, router.Readiness(t.Context()))
		require.NoError(t, router.Stop(t.Context()))

		p.group = group.New(subspace.New("elsewhere"))
		lost := p.member("lost")
		require.NoError(t, lost.Start(t.Context(), member.Callbacks{}))
		time.Sleep(time.Minute)
		unready(t, lost, "it has not joined the group, or could not renew its session in time")
		lost.Abandon()
	})
}

// each calls a function for each line of a log.
type each func(line string)

func (f each) Write(line []byte) (int, error) {
	f(string(line))
	return len(line), nil
}

// Readiness knows of a change before anything is told of it.
func TestReadinessIsKnownFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(t, 4)
		var a *member.Member
		var seen []string
		log := each(func(line string) {
			if at := strings.Index(line, "from="); at >= 0 {
				seen = append(seen, strings.TrimSpace(line[at:])+": "+fmt.Sprint(a.Readiness(t.Context())))
			}
		})
		a = p.member("a", func(o *member.Options) { o.Logger = slog.New(slog.NewTextHandler(log, nil)) })
		require.NoError(t, a.Start(t.Context(), member.Callbacks{}))
		time.Sleep(10 * time.Second)
		require.NoError(t, a.Stop(t.Context()))
		require.Len(t, seen, 5)
		// The first scan ends before or after the join is acknowledged.
		seen[1] = strings.ReplaceAll(seen[1], "it has just joined", "it is reading the shards")
		require.Equal(t, []string{
			"from=stopped to=joining: not ready to lead: it has not joined the group, or could not renew its session in time",
			`from=joining to="not ready": not ready to lead: it is reading the shards`,
			`from="not ready" to=member: <nil>`,
			"from=member to=leaving: not ready to lead: it leaves the group",
			"from=leaving to=stopped: not ready to lead: it leaves the group",
		}, seen)
	})
}

// jumpingClock is ahead of the virtual time.
type jumpingClock struct {
	wallClock
	ahead *atomic.Int64
}

func (c jumpingClock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// blocking is a writer of a log that blocks once it is closed.
type blocking struct {
	closed           *atomic.Bool
	entered, release chan struct{}
}

func (b blocking) Write(line []byte) (int, error) {
	if b.closed.CompareAndSwap(true, false) {
		close(b.entered)
		<-b.release
	}
	return len(line), nil
}

// Health and Readiness answer at once if a Logger blocks the loop.
func TestReadinessOfABlockedLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, log := newPool(t, 4), blocking{new(atomic.Bool), make(chan struct{}), make(chan struct{})}
		clock := jumpingClock{ahead: new(atomic.Int64)}
		a := p.member("a", func(o *member.Options) {
			o.Clock, o.Logger = clock, slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		release := sync.OnceFunc(func() { close(log.release) })
		defer release()
		done := make(chan error, 1)
		go func() { done <- a.Run(t.Context(), p.work("a")) }()
		time.Sleep(10 * time.Second)
		log.closed.Store(true)
		<-log.entered
		require.NoError(t, a.Readiness(t.Context()))
		clock.ahead.Store(int64(8 * time.Second))
		require.NoError(t, a.Readiness(t.Context()))
		clock.ahead.Store(int64(10 * time.Second))
		require.ErrorIs(t, a.Readiness(t.Context()), elector.ErrStuck)
		release()
		a.Abandon()
		require.Error(t, <-done)
	})
}
