package elector_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv/memkv"
	"github.com/fdbelection/fdbelection/subspace"
)

func TestStartLeadsAndStopLeaves(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.begin("a")
		require.Equal(tc, uint64(1), p.leads().Term)
		require.True(tc, p.Leading())
		require.Equal(tc, "a", p.LeaderID())
		require.Equal(tc, uint64(1), p.Term())
		time.Sleep(5 * lease)
		require.Equal(tc, uint64(1), tc.leader().Term)
		p.stop()
		require.False(tc, p.Leading())
		require.Equal(tc, elector.StateStopped, p.State())
		require.True(tc, tc.leader().Vacant())
		require.Empty(tc, tc.candidates())
		require.Equal(tc, []elector.State{
			elector.StateCandidate, elector.StateLeader, elector.StateCandidate, elector.StateStopped,
		}, p.history())
	})
}

// A restarted process is a new incarnation. It waits for the lease of its predecessor like any
// other process, and leads in a new term.
func TestRestartIsANewIncarnation(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.begin("a")
		p.leads()
		first := tc.leader()
		time.Sleep(heartbeat)
		p.Abandon()
		require.Equal(tc, elector.StateStopped, p.State())
		abandoned := time.Now()
		require.NoError(tc, p.Start(tc.Context()))
		require.False(tc, p.Leading())
		p.leads()
		require.GreaterOrEqual(tc, time.Since(abandoned), lease-soon)
		again := tc.leader()
		require.Equal(tc, first.Term+1, again.Term)
		require.Equal(tc, "a", again.ID)
		require.NotEqual(tc, first.Incarnation, again.Incarnation)
		require.Len(tc, tc.candidates(), 1)
	})
}

func TestStopAndStartAgain(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		for term := range uint64(5) {
			require.NoError(tc, p.Start(tc.Context()))
			require.Equal(tc, term+1, p.leads().Term)
			p.stop()
			require.NoError(tc, p.Stop(tc.Context()), "a second call has no effect")
			require.Empty(tc, p.LeaderID())
			require.Empty(tc, tc.candidates())
		}
	})
}

// An elector that was never started can be stopped, abandoned and queried.
func TestNeverStarted(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		require.NoError(tc, p.Stop(tc.Context()))
		p.Abandon()
		require.ErrorIs(tc, p.IsLeader(tc.Context()), fdbelection.ErrNotLeader)
		require.Equal(tc, elector.StateStopped, p.State())
		require.Zero(tc, p.Term())
		require.Empty(tc, p.LeaderID())
		require.Equal(tc, "a", p.NodeID())
		require.Empty(tc, p.ClusterState().Voters)
		p.SetPriority(3)
		require.NoError(tc, p.Start(tc.Context()))
		p.leads()
		require.EqualValues(tc, 3, tc.leader().Priority)
	})
}

func TestStartLeavesWithItsContext(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		ctx, cancel := context.WithCancel(tc.Context())
		p := tc.process("a")
		require.NoError(tc, p.Start(ctx))
		p.leads()
		cancel()
		p.enters(elector.StateStopped)
		require.True(tc, tc.leader().Vacant())
		require.Empty(tc, tc.candidates())
		require.ErrorIs(tc, p.Start(ctx), context.Canceled)
	})
}

// Start, Run and Campaign exclude each other.
func TestRunning(t *testing.T) {
	work := func(ctx context.Context, _ *elector.Leadership) error { <-ctx.Done(); return nil }
	uses := map[string]func(tc *cluster, p *process) error{
		"Start": func(tc *cluster, p *process) error { return p.Start(tc.Context()) },
		"Run":   func(tc *cluster, p *process) error { return p.Run(tc.Context(), work) },
		"Campaign": func(tc *cluster, p *process) error {
			lead, err := p.Campaign(tc.Context())
			if err == nil {
				return lead.Resign(tc.Context())
			}
			return err
		},
	}
	for name, use := range uses {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				p := tc.process("a")
				go func() { p.result <- use(tc, p) }()
				p.leads()
				synctest.Wait()
				for other, use := range uses {
					if name != "Campaign" || other != "Campaign" {
						require.ErrorIs(tc, use(tc, p), elector.ErrRunning, other)
					}
				}
				p.stop()
				require.NoError(tc, within(tc, p.result, "the end of Run"))
			})
		})
	}
}

// A caller that cannot wait for Stop calls Abandon. Everything has ended then.
func TestStopIsAbandoned(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.begin("a")
		p.leads()
		tc.before(of("a", hang))
		ctx, cancel := context.WithTimeout(tc.Context(), time.Second)
		defer cancel()
		require.ErrorIs(tc, p.Stop(ctx), context.DeadlineExceeded)
		require.NotEqual(tc, elector.StateStopped, p.State())
		p.Abandon()
		require.Equal(tc, elector.StateStopped, p.State())
		p.stop()
		tc.before(nil)
		require.Equal(tc, "a", tc.leader().ID, "its lease runs out by itself")
		require.Equal(tc, elector.StateStopped, p.enters(elector.StateStopped).To)
	})
}

// A process that cannot unregister returns a LeaveError within the leave limit.
func TestLeavingHasALimit(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.begin("a", func(_ *process, o *elector.Options) { o.LeaveLimit = time.Second })
		p.leads()
		tc.before(of("a", hang))
		left := time.Now()
		var leaveErr *elector.LeaveError
		require.ErrorAs(tc, p.Stop(tc.Context()), &leaveErr)
		require.LessOrEqual(tc, time.Since(left), time.Second+soon)
		require.ErrorContains(tc, leaveErr, "its lease runs out by itself")
		tc.before(nil)
	})
}

// If a claim is acknowledged after Stop was called, no work begins, and leadership is
// released.
func TestStopDuringClaim(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		claimed, release := make(chan struct{}), make(chan struct{})
		claim, _ := once(tc.commits("a", "term"), func(context.Context, *memkv.Call) error {
			close(claimed)
			<-release
			return nil
		})
		tc.after(claim)
		p := tc.begin("a")
		<-claimed
		require.Equal(tc, "a", tc.leader().ID)
		stopped := make(chan error, 1)
		go func() { stopped <- p.Stop(tc.Context()) }()
		synctest.Wait()
		close(release)
		require.NoError(tc, <-stopped)
		require.NotContains(tc, p.history(), elector.StateLeader)
		require.True(tc, tc.leader().Vacant())
	})
}

// Stop may be called concurrently, and while the elector starts.
func TestConcurrentStops(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.begin("a")
		var stops sync.WaitGroup
		for range 10 {
			stops.Go(func() {
				if err := p.Stop(tc.Context()); err != nil {
					tc.Error(err)
				}
			})
		}
		stops.Wait()
		tc.initialize()
		require.Empty(tc, tc.candidates())
	})
}

// Stop returns after the last call of the store has returned.
func TestStopWaitsForOperations(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.begin("a")
		p.leads()
		time.Sleep(heartbeat / 2)
		reading, release := make(chan struct{}), make(chan struct{})
		held, _ := once(func(c *memkv.Call) bool { return c.Kind == memkv.CallRead && len(c.Reads) == 1 },
			func(context.Context, *memkv.Call) error { // the list of the candidates, ignores its context
				close(reading)
				<-release
				return nil
			})
		tc.before(held)
		<-reading
		stopped := make(chan error, 1)
		go func() { stopped <- p.Stop(tc.Context()) }()
		time.Sleep(lease)
		require.Equal(tc, elector.StateStopped, p.State())
		require.Empty(tc, stopped)
		close(release)
		require.NoError(tc, within(tc, stopped, "Stop"))
	})
}

func TestOptionsAreValidated(t *testing.T) {
	db, e := memkv.New(memkv.Options{}), election.New(subspace.New("test"))
	_, err := elector.New(nil, e, elector.Options{})
	require.Error(t, err)
	_, err = elector.New(db, nil, elector.Options{})
	require.Error(t, err)
	_, err = elector.New(db, e, elector.Options{
		NodeID: "\xff", Role: 7, Config: fdbelection.Config{LeaseDuration: -1},
		DrainLimit: -1, LeaveLimit: -1, CallbackLimit: -1,
	})
	require.ErrorIs(t, err, fdbelection.ErrInvalidCandidate)
	require.ErrorIs(t, err, fdbelection.ErrInvalidConfig)
	for _, fault := range []string{"LeaseDuration", "HeartbeatInterval", "DrainLimit", "LeaveLimit", "CallbackLimit"} {
		require.ErrorContains(t, err, fault)
	}
	el, err := elector.New(db, e, elector.Options{})
	require.NoError(t, err)
	require.NotEmpty(t, el.NodeID())
}
