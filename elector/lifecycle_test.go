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
	inWorld(t, func(w *world) {
		p := w.begin("a")
		require.Equal(w, uint64(1), p.leads().Term)
		require.True(w, p.believes())
		require.Equal(w, "a", p.LeaderID())
		require.Equal(w, uint64(1), p.Term())
		time.Sleep(5 * lease)
		require.Equal(w, uint64(1), w.seat().Term)
		p.stop()
		require.False(w, p.believes())
		require.Equal(w, elector.StateStopped, p.State())
		require.True(w, w.seat().Vacant())
		require.Empty(w, w.candidates())
		require.Equal(w, []elector.State{
			elector.StateCandidate, elector.StateLeader, elector.StateCandidate, elector.StateStopped,
		}, p.history())
	})
}

// A restart is another incarnation: it waits for the seat of its predecessor like
// anybody, and leads in a term of its own.
func TestRestartIsAStranger(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.begin("a")
		p.leads()
		first := w.seat()
		time.Sleep(heartbeat)
		p.Abandon()
		require.Equal(w, elector.StateStopped, p.State())
		abandoned := time.Now()
		require.NoError(w, p.Start(w.Context()))
		require.False(w, p.believes())
		p.leads()
		require.GreaterOrEqual(w, time.Since(abandoned), lease-soon)
		again := w.seat()
		require.Equal(w, first.Term+1, again.Term)
		require.Equal(w, "a", again.ID)
		require.NotEqual(w, first.Incarnation, again.Incarnation)
		require.Len(w, w.candidates(), 1)
	})
}

func TestStopAndStartAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.process("a")
		for term := range uint64(5) {
			require.NoError(w, p.Start(w.Context()))
			require.Equal(w, term+1, p.leads().Term)
			p.stop()
			require.NoError(w, p.Stop(w.Context()), "once more changes nothing")
			require.Empty(w, p.LeaderID())
			require.Empty(w, w.candidates())
		}
	})
}

// What was never started can be stopped, abandoned and asked.
func TestNeverStarted(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.process("a")
		require.NoError(w, p.Stop(w.Context()))
		p.Abandon()
		require.ErrorIs(w, p.IsLeader(w.Context()), fdbelection.ErrNotLeader)
		require.Equal(w, elector.StateStopped, p.State())
		require.Zero(w, p.Term())
		require.Empty(w, p.LeaderID())
		require.Equal(w, "a", p.NodeID())
		require.Empty(w, p.ClusterState().Voters)
		p.SetPriority(3)
		require.NoError(w, p.Start(w.Context()))
		p.leads()
		require.EqualValues(w, 3, w.seat().Priority)
	})
}

func TestStartLeavesWithItsContext(t *testing.T) {
	inWorld(t, func(w *world) {
		ctx, cancel := context.WithCancel(w.Context())
		p := w.process("a")
		require.NoError(w, p.Start(ctx))
		p.leads()
		cancel()
		p.enters(elector.StateStopped)
		require.True(w, w.seat().Vacant())
		require.Empty(w, w.candidates())
		require.ErrorIs(w, p.Start(ctx), context.Canceled)
	})
}

// Each way of use excludes the others.
func TestRunning(t *testing.T) {
	work := func(ctx context.Context, _ *elector.Leadership) error { <-ctx.Done(); return nil }
	uses := map[string]func(w *world, p *process) error{
		"Start": func(w *world, p *process) error { return p.Start(w.Context()) },
		"Run":   func(w *world, p *process) error { return p.Run(w.Context(), work) },
		"Campaign": func(w *world, p *process) error {
			lead, err := p.Campaign(w.Context())
			if err == nil {
				return lead.Resign(w.Context())
			}
			return err
		},
	}
	for name, use := range uses {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				p := w.process("a")
				go func() { p.result <- use(w, p) }()
				p.leads()
				synctest.Wait()
				for other, use := range uses {
					if name != "Campaign" || other != "Campaign" {
						require.ErrorIs(w, use(w, p), elector.ErrRunning, other)
					}
				}
				p.stop()
				require.NoError(w, within(w, p.result, "its end"))
			})
		})
	}
}

// A caller that cannot wait for Stop abandons the rest: everything has ended then.
func TestStopIsAbandoned(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.begin("a")
		p.leads()
		w.before(of("a", hang))
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		require.ErrorIs(w, p.Stop(ctx), context.DeadlineExceeded)
		require.NotEqual(w, elector.StateStopped, p.State())
		p.Abandon()
		require.Equal(w, elector.StateStopped, p.State())
		p.stop()
		w.before(nil)
		require.Equal(w, "a", w.seat().ID, "its lease runs out by itself")
		require.Equal(w, elector.StateStopped, p.enters(elector.StateStopped).To)
	})
}

// Who cannot say that it leaves says so, within its limit.
func TestLeavingHasALimit(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.begin("a", func(_ *process, o *elector.Options) { o.LeaveLimit = time.Second })
		p.leads()
		w.before(of("a", hang))
		left := time.Now()
		var unsaid *elector.LeaveError
		require.ErrorAs(w, p.Stop(w.Context()), &unsaid)
		require.LessOrEqual(w, time.Since(left), time.Second+soon)
		require.ErrorContains(w, unsaid, "its lease runs out by itself")
		w.before(nil)
	})
}

// A claim whose answer comes after the candidate was asked to leave begins no
// work, and its seat is given up.
func TestStopDuringClaim(t *testing.T) {
	inWorld(t, func(w *world) {
		claimed, release := make(chan struct{}), make(chan struct{})
		claim, _ := once(w.commits("a", "term"), func(context.Context, *memkv.Call) error {
			close(claimed)
			<-release
			return nil
		})
		w.after(claim)
		p := w.begin("a")
		<-claimed
		require.Equal(w, "a", w.seat().ID)
		stopped := make(chan error, 1)
		go func() { stopped <- p.Stop(w.Context()) }()
		synctest.Wait()
		close(release)
		require.NoError(w, <-stopped)
		require.NotContains(w, p.history(), elector.StateLeader)
		require.True(w, w.seat().Vacant())
	})
}

// Stop may be called by many at once, and while it starts.
func TestStopByMany(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.begin("a")
		var stops sync.WaitGroup
		for range 10 {
			stops.Go(func() {
				if err := p.Stop(w.Context()); err != nil {
					w.Error(err)
				}
			})
		}
		stops.Wait()
		w.initialize()
		require.Empty(w, w.candidates())
	})
}

// Stop returns after the last call of the store has: nothing runs behind it.
func TestStopWaitsForOperations(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.begin("a")
		p.leads()
		time.Sleep(heartbeat / 2)
		reading, release := make(chan struct{}), make(chan struct{})
		held, _ := once(func(c *memkv.Call) bool { return c.Kind == memkv.CallRead && len(c.Reads) == 1 },
			func(context.Context, *memkv.Call) error { // the candidates, whatever its context says
				close(reading)
				<-release
				return nil
			})
		w.before(held)
		<-reading
		stopped := make(chan error, 1)
		go func() { stopped <- p.Stop(w.Context()) }()
		time.Sleep(lease)
		require.Equal(w, elector.StateStopped, p.State())
		require.Empty(w, stopped)
		close(release)
		require.NoError(w, within(w, stopped, "Stop"))
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
