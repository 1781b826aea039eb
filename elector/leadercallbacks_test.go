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

// calls are the callbacks that came, in order.
type calls struct {
	mu   sync.Mutex
	list []string
	news chan string
}

func newCalls() *calls { return &calls{news: make(chan string, 1000)} }

func (c *calls) add(call string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, call)
	c.news <- call
}

func (c *calls) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.list...)
}

// callbacks tell of themselves; OnStartedLeading works until its context ends.
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

// runCallbacks has a process lead with callbacks until the test or ctx ends.
func (p *process) runCallbacks(ctx context.Context, callbacks elector.LeaderCallbacks) {
	go func() { p.result <- p.RunCallbacks(ctx, callbacks) }()
}

// In client-go OnStoppedLeading may run beside OnStartedLeading, and the lease is
// released before either has returned (kubernetes#139991).
func TestReleaseWaitsForOnStoppedLeading(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		begun, end := newCalls(), map[string]chan struct{}{"started": make(chan struct{}), "stopped": make(chan struct{})}
		a, b := tc.process("a"), tc.process("b")
		ctx, cancel := context.WithCancel(tc.Context())
		a.runCallbacks(ctx, elector.LeaderCallbacks{
			OnStartedLeading: func(context.Context) { begun.add("started"); <-end["started"] },
			OnStoppedLeading: func() { begun.add("stopped"); <-end["stopped"] },
		})
		require.Equal(t, "started", within(tc, begun.news, "a leads"))
		require.NoError(t, b.Start(tc.Context()))
		b.enters(elector.StateFollower)

		cancel()
		time.Sleep(drain / 2) // renewals go on meanwhile
		synctest.Wait()
		require.Equal(t, []string{"started"}, begun.all())
		require.Equal(t, "a", tc.leader().ID)

		close(end["started"])
		require.Equal(t, "stopped", within(tc, begun.news, "OnStartedLeading has returned"))
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

// In client-go OnStoppedLeading is called by a process that never led.
func TestOnStoppedLeadingFollowsOnStartedLeading(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a, b := tc.begin("a"), tc.process("b")
		a.leads()
		told := newCalls()
		ctx, cancel := context.WithCancel(tc.Context())
		b.runCallbacks(ctx, told.callbacks())
		b.enters(elector.StateFollower)
		cancel()
		require.NoError(t, within(tc, b.result, "b has left"))
		require.Empty(t, told.all())
		require.False(t, tc.listed("b"))
		a.stop()
	})
}

// In client-go the loop is over with the first loss.
func TestCallbacksComeInPairsForEachTenure(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a, told := tc.process("a"), newCalls()
		ctx, cancel := context.WithCancel(tc.Context())
		a.runCallbacks(ctx, told.callbacks())
		a.leads()
		tc.before(hang)
		a.enters(elector.StateCandidate)
		synctest.Wait()
		require.Equal(t, []string{"started", "returned", "stopped"}, told.all())
		tc.before(nil)
		require.Equal(t, uint64(2), a.leads().Term)
		cancel()
		require.NoError(t, within(tc, a.result, "a has left"))
		require.Equal(t, []string{"started", "returned", "stopped", "started", "returned", "stopped"}, told.all())
		require.True(t, tc.leader().Vacant())
	})
}

// As in client-go leadership goes on where OnStartedLeading returns.
func TestOnStartedLeadingMayReturnAtOnce(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a, told, leading := tc.process("a"), newCalls(), make(chan context.Context, 1)
		ctx, cancel := context.WithCancel(tc.Context())
		a.runCallbacks(ctx, elector.LeaderCallbacks{
			OnStartedLeading: func(ctx context.Context) { leading <- ctx; told.add("started") },
			OnStoppedLeading: func() { told.add("stopped") },
		})
		leads := within(tc, leading, "a leads")
		time.Sleep(2 * lease)
		synctest.Wait()
		require.NoError(t, leads.Err())
		require.Equal(t, []string{"started"}, told.all())
		require.Equal(t, uint64(1), tc.leader().Term)
		cancel()
		require.NoError(t, within(tc, a.result, "a has left"))
		require.Error(t, leads.Err())
		require.Equal(t, []string{"started", "stopped"}, told.all())
	})
}

// What exits the process in client-go ends the context here, and leaves in order.
func TestOnStoppedLeadingMayEndTheRun(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.process("a")
		ctx, cancel := context.WithCancel(tc.Context())
		defer cancel()
		a.runCallbacks(ctx, elector.LeaderCallbacks{OnStoppedLeading: cancel})
		a.leads()
		require.NoError(t, a.SetRole(election.Observer)) // an observer gives up its seat
		require.NoError(t, within(tc, a.result, "a has left"))
		require.True(t, tc.leader().Vacant())
		require.False(t, tc.listed("a"))
	})
}

func TestOnNewLeader(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		a.leads()
		b, told := tc.process("b"), newCalls()
		ctx, cancel := context.WithCancel(tc.Context())
		b.runCallbacks(ctx, elector.LeaderCallbacks{OnNewLeader: told.add})
		require.Equal(t, "a", within(tc, told.news, "b sees the first leader"))

		// The same id in another tenure is no new leader, and a vacancy is none.
		tc.before(of("a", fail(errDisk))) // for so long that it stops leading
		a.enters(elector.StateCandidate)
		tc.before(nil)
		require.Equal(t, uint64(2), a.leads().Term)
		a.stop()
		require.Equal(t, "b", within(tc, told.news, "b leads"))
		a = tc.begin("a", priority(1))
		require.Equal(t, "a", within(tc, told.news, "a has preempted b"))
		a.stop()
		require.Equal(t, "b", within(tc, told.news, "b leads again"))
		cancel()
		require.NoError(t, within(tc, b.result, "b has left"))
		require.Equal(t, []string{"a", "b", "a", "b"}, told.all())
	})
}

// A slow OnNewLeader is told of everything, and holds nothing up but the return.
func TestOnNewLeaderIsTooSlow(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		a.leads()
		told, proceed := newCalls(), make(chan struct{})
		slow := tc.process("slow", observer)
		ctx, cancel := context.WithCancel(tc.Context())
		slow.runCallbacks(ctx, elector.LeaderCallbacks{OnNewLeader: func(id string) {
			told.add(id)
			<-proceed
		}})
		require.Equal(t, "a", within(tc, told.news, "the first leader"))
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		a.stop()
		b.leads()
		tc.until("known to all", func(election.LeaderRecord) bool { return slow.LeaderID() == "b" })
		cancel()
		slow.enters(elector.StateStopped)
		require.Equal(t, []string{"a"}, told.all())
		close(proceed)
		require.NoError(t, within(tc, slow.result, "the slow one has left"))
		require.Equal(t, []string{"a", "b"}, told.all())
		b.stop()
	})
}

func TestPanicOfCallbacksPassesThroughRun(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a, told := tc.process("a"), newCalls()
		panicked := make(chan any)
		go func() {
			defer func() { panicked <- recover() }()
			_ = a.RunCallbacks(tc.Context(), elector.LeaderCallbacks{
				OnStartedLeading: func(context.Context) { panic("oh") },
				OnStoppedLeading: func() { told.add("stopped") },
				OnNewLeader:      told.add,
			})
		}()
		require.Equal(t, "oh", within(tc, panicked, "the panic passes through"))
		a.enters(elector.StateStopped)
		require.Contains(t, told.all(), "stopped")
		require.True(t, tc.leader().Vacant())
	})
}

func TestRunCallbacksExcludesOtherUses(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		a.leads()
		told := newCalls()
		require.ErrorIs(t, a.RunCallbacks(tc.Context(), elector.LeaderCallbacks{OnNewLeader: told.add}), elector.ErrRunning)
		require.Empty(t, told.all())
		a.stop()
	})
}
