package elector_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
)

// calls records the callbacks that were called, in order.
type calls struct {
	mu    sync.Mutex
	list  []string
	added chan string
}

func newCalls() *calls { return &calls{added: make(chan string, 1000)} }

func (c *calls) add(call string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, call)
	c.added <- call
}

func (c *calls) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.list...)
}

// callbacks returns callbacks that are recorded. OnStartedLeading works until its context ends.
func (c *calls) callbacks() elector.LeaderCallbacks {
	return elector.LeaderCallbacks{
		OnStartedLeading: func(ctx context.Context) {
			c.add("started")
			<-ctx.Done()
			c.add("returned")
		},
		OnStoppedLeading: func() { c.add("stopped") },
	}
}

// runCallbacks calls RunCallbacks in a goroutine. result gets its error.
func (p *process) runCallbacks(ctx context.Context, callbacks elector.LeaderCallbacks) {
	go func() { p.result <- p.RunCallbacks(ctx, callbacks) }()
}

// In client-go, OnStoppedLeading may run beside OnStartedLeading, and the lease is released
// before either has returned (kubernetes#139991).
func TestReleaseWaitsForOnStoppedLeading(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		begun, end := newCalls(), map[string]chan struct{}{"started": make(chan struct{}), "stopped": make(chan struct{})}
		a, b := tc.process("a"), tc.process("b")
		ctx, cancel := context.WithCancel(tc.Context())
		a.runCallbacks(ctx, elector.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { begun.add("started"); <-end["started"] },
			OnStoppedLeading: func() { begun.add("stopped"); <-end["stopped"] },
		})
		require.Equal(t, "started", within(tc, begun.added, "a leads"))
		require.NoError(t, b.Start(tc.Context()))
		b.enters(elector.StateFollower)

		cancel()
		time.Sleep(drain / 2) // renewals continue meanwhile
		synctest.Wait()
		require.Equal(t, []string{"started"}, begun.all())
		require.Equal(t, "a", tc.leader().ID)

		close(end["started"])
		require.Equal(t, "stopped", within(tc, begun.added, "OnStartedLeading has returned"))
		time.Sleep(drain / 4)
		synctest.Wait()
		require.Equal(t, "a", tc.leader().ID)
		require.NotEqual(t, elector.StateLeader, b.State())

		close(end["stopped"])
		require.Equal(t, uint64(2), b.leads().Term)
		require.NoError(t, within(tc, a.result, "a has left"))
		require.Equal(t, []string{"started", "stopped"}, begun.all())
		b.stop()
	})
}

// In client-go, OnStoppedLeading is called even if the process never led.
func TestOnStoppedLeadingFollowsOnStartedLeading(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a, b := tc.begin("a"), tc.process("b")
		a.leads()
		made := newCalls()
		ctx, cancel := context.WithCancel(tc.Context())
		b.runCallbacks(ctx, made.callbacks())
		b.enters(elector.StateFollower)
		cancel()
		require.NoError(t, within(tc, b.result, "b has left"))
		require.Empty(t, made.all())
		require.False(t, tc.listed("b"))
		a.stop()
	})
}

// In client-go, the loop ends with the first loss.
func TestCallbacksComeInPairsForEachTenure(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a, made := tc.process("a"), newCalls()
		ctx, cancel := context.WithCancel(tc.Context())
		a.runCallbacks(ctx, made.callbacks())
		a.leads()
		tc.before(hang)
		a.enters(elector.StateCandidate)
		synctest.Wait()
		require.Equal(t, []string{"started", "returned", "stopped"}, made.all())
		tc.before(nil)
		require.Equal(t, uint64(2), a.leads().Term)
		cancel()
		require.NoError(t, within(tc, a.result, "a has left"))
		require.Equal(t, []string{"started", "returned", "stopped", "started", "returned", "stopped"}, made.all())
		require.True(t, tc.leader().Vacant())
	})
}

// As in client-go, leadership continues after OnStartedLeading has returned.
func TestOnStartedLeadingMayReturnAtOnce(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a, made, leading := tc.process("a"), newCalls(), make(chan context.Context, 1)
		ctx, cancel := context.WithCancel(tc.Context())
		a.runCallbacks(ctx, elector.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) { leading <- ctx; made.add("started") },
			OnStoppedLeading: func() { made.add("stopped") },
		})
		leads := within(tc, leading, "a leads")
		time.Sleep(2 * lease)
		synctest.Wait()
		require.NoError(t, leads.Err())
		require.Equal(t, []string{"started"}, made.all())
		require.Equal(t, uint64(1), tc.leader().Term)
		cancel()
		require.NoError(t, within(tc, a.result, "a has left"))
		require.Error(t, leads.Err())
		require.Equal(t, []string{"started", "stopped"}, made.all())
	})
}

// OnStoppedLeading may end the context of RunCallbacks. In client-go it exits the process.
func TestOnStoppedLeadingMayEndTheRun(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.process("a")
		ctx, cancel := context.WithCancel(tc.Context())
		defer cancel()
		a.runCallbacks(ctx, elector.LeaderCallbacks{OnStoppedLeading: cancel})
		a.leads()
		require.NoError(t, a.SetRole(election.Observer)) // an observer resigns
		require.NoError(t, within(tc, a.result, "a has left"))
		require.True(t, tc.leader().Vacant())
		require.False(t, tc.listed("a"))
	})
}

func TestOnNewLeader(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		a.leads()
		b, made := tc.process("b"), newCalls()
		ctx, cancel := context.WithCancel(tc.Context())
		b.runCallbacks(ctx, elector.LeaderCallbacks{OnNewLeader: made.add})
		require.Equal(t, "a", within(tc, made.added, "b sees the first leader"))

		// Neither another tenure of the same id nor a vacancy is a new leader.
		tc.before(of("a", fail(errDisk))) // until it stops leading
		a.enters(elector.StateCandidate)
		tc.before(nil)
		require.Equal(t, uint64(2), a.leads().Term)
		a.stop()
		require.Equal(t, "b", within(tc, made.added, "b leads"))
		a = tc.begin("a", priority(1))
		require.Equal(t, "a", within(tc, made.added, "a has preempted b"))
		a.stop()
		require.Equal(t, "b", within(tc, made.added, "b leads again"))
		cancel()
		require.NoError(t, within(tc, b.result, "b has left"))
		require.Equal(t, []string{"a", "b", "a", "b"}, made.all())
	})
}

// A slow OnNewLeader gets every leader. It delays only the return of RunCallbacks.
func TestOnNewLeaderIsTooSlow(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		a.leads()
		made, proceed := newCalls(), make(chan struct{})
		slow := tc.process("slow", observer)
		ctx, cancel := context.WithCancel(tc.Context())
		slow.runCallbacks(ctx, elector.LeaderCallbacks{OnNewLeader: func(id string) {
			made.add(id)
			<-proceed
		}})
		require.Equal(t, "a", within(tc, made.added, "the first leader"))
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		a.stop()
		b.leads()
		tc.until("known to all", func(election.LeaderRecord) bool { return slow.LeaderID() == "b" })
		cancel()
		slow.enters(elector.StateStopped)
		require.Equal(t, []string{"a"}, made.all())
		close(proceed)
		require.NoError(t, within(tc, slow.result, "the slow process has left"))
		require.Equal(t, []string{"a", "b"}, made.all())
		b.stop()
	})
}

func TestPanicOfCallbacksPassesThroughRun(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a, made := tc.process("a"), newCalls()
		panicked := make(chan any)
		go func() {
			defer func() { panicked <- recover() }()
			_ = a.RunCallbacks(tc.Context(), elector.LeaderCallbacks{
				OnStartedLeading: func(context.Context) { panic("oh") },
				OnStoppedLeading: func() { made.add("stopped") },
				OnNewLeader:      made.add,
			})
		}()
		require.Equal(t, "oh", within(tc, panicked, "the panic passes through"))
		a.enters(elector.StateStopped)
		require.Contains(t, made.all(), "stopped")
		require.True(t, tc.leader().Vacant())
	})
}

func TestRunCallbacksExcludesOtherUses(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		a.leads()
		made := newCalls()
		require.ErrorIs(t, a.RunCallbacks(tc.Context(), elector.LeaderCallbacks{OnNewLeader: made.add}), elector.ErrRunning)
		require.Empty(t, made.all())
		a.stop()
	})
}
