package elector_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// vacancies returns how many tenures have ended without a successor.
func (tc *cluster) vacancies() (n int) {
	tc.Helper()
	events, err := kv.ReadTransact(tc.Context(), tc.db, func(tr kv.ReadTransaction) ([]election.Event, error) {
		return tc.election.History(tr, 0)
	})
	require.NoError(tc, err)
	for i := range events {
		if events[i].Kind == election.EventEnded {
			n++
		}
	}
	return n
}

// leaderAndFollower starts a process that leads and one that follows.
func leaderAndFollower(tc *cluster) (leader, follower *process) {
	leader = tc.begin("a")
	leader.leads()
	follower = tc.begin("b")
	follower.enters(elector.StateFollower)
	return leader, follower
}

// A process hands over to its successor, although another candidate is first by rank.
// Leadership is never vacant, and the work of both does not overlap.
func TestStopAndHandOver(t *testing.T) {
	for _, to := range []string{"web-2", "web-*"} {
		inCluster(t, func(tc *cluster) {
			a := tc.process("web-1")
			const toStop = time.Second
			var returned time.Time
			a.run(tc.Context(), func(ctx context.Context, _ *elector.Leadership) error {
				<-ctx.Done()
				time.Sleep(toStop)
				returned = time.Now()
				return nil
			})
			a.leads()
			other := tc.begin("other", priority(-1))
			other.enters(elector.StateFollower)
			first := tc.begin("web-0")
			first.enters(elector.StateFollower)
			b := tc.begin("web-2")
			b.enters(elector.StateFollower)
			time.Sleep(lease)

			stopped := time.Now()
			require.NoError(tc, a.StopAndHandOver(tc.Context(), to))
			require.NoError(tc, <-a.result)
			require.Equal(tc, elector.ReasonTransfer, b.leads().Reason)
			require.GreaterOrEqual(tc, returned.Sub(stopped), toStop)
			require.Less(tc, time.Since(returned), soon)
			require.Equal(tc, uint64(2), tc.leader().Term)
			require.Zero(tc, tc.vacancies())
			require.False(tc, tc.listed("web-1"))
			require.NotContains(tc, first.history(), elector.StateLeader)
		})
	}
}

// A successor that cannot be handed leadership holds nothing back. The process resigns, and
// says why it did not hand over.
func TestHandOverWithoutASuccessor(t *testing.T) {
	for to, want := range map[string]error{
		"b": fdbelection.ErrProcessNotFound, "x*": fdbelection.ErrProcessNotFound, "o": fdbelection.ErrNotVoting,
		"a": fdbelection.ErrInvalidCandidate, "": nil,
	} {
		inCluster(t, func(tc *cluster) {
			var log journal
			a := tc.begin("a", logTo(&log, slog.LevelWarn))
			a.leads()
			o := tc.begin("o", observer)
			o.enters(elector.StateObserver)
			time.Sleep(heartbeat / 2)
			began := time.Now()
			err := a.StopAndHandOver(tc.Context(), to)
			require.Less(tc, time.Since(began), soon)
			require.True(tc, tc.leader().Vacant())
			require.False(tc, tc.listed("a"))
			require.Equal(tc, 1, tc.vacancies())
			if want == nil {
				require.NoError(tc, err, "no successor was named")
				return
			}
			require.ErrorIs(tc, err, want)
			var failed *elector.HandOverError
			require.ErrorAs(tc, err, &failed)
			require.Equal(tc, to, failed.To)
			var left *elector.LeaveError
			require.NotErrorAs(tc, err, &left)
			require.Equal(tc, err, a.Stop(tc.Context()), "a later call of Stop returns it too")
			require.ErrorIs(tc, <-a.Errors(), want)
			require.Contains(tc, strings.Join(log.lines(), "\n"), "could not hand over to "+to)
			require.Equal(tc, elector.ReasonStopped, a.reasons()[len(a.reasons())-1])
		})
	}
}

// If the successor dies before it accepts, others wait for the acceptance lease and not for
// a complete one.
func TestTheSuccessorDiesBeforeItAccepts(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		a.leads()
		b, c := tc.begin("b"), tc.begin("c")
		b.enters(elector.StateFollower)
		c.enters(elector.StateFollower)
		time.Sleep(heartbeat)
		tc.before(of("b", hang))
		require.NoError(tc, a.StopAndHandOver(tc.Context(), "b"))
		handedOver := time.Now()
		b.Abandon()
		require.Equal(tc, uint64(3), c.leads().Term)
		acceptance := tc.config.AcceptanceLease()
		require.Less(tc, acceptance, lease/2)
		require.InDelta(tc, acceptance, time.Since(handedOver), float64(step+soon))
		tc.before(nil)
	})
}

// A process that does not lead only leaves. One that has not started, and one that only
// subscribes, do so too.
func TestHandOverOfAProcessThatDoesNotLead(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a, b := tc.begin("a"), tc.process("b")
		require.NoError(tc, b.StopAndHandOver(tc.Context(), "a"))
		a.leads()
		require.NoError(tc, b.Start(tc.Context()))
		b.enters(elector.StateFollower)
		require.NoError(tc, b.StopAndHandOver(tc.Context(), "x"))
		require.False(tc, tc.listed("b"))
		require.Equal(tc, uint64(1), tc.leader().Term)
		b.Subscribe(tc.Context())
		require.NoError(tc, b.StopAndHandOver(tc.Context(), "a"))
	})
}

// Work that ignores the stop delays the hand-over until the drain limit, and no longer. The
// callers of Campaign resign as always.
func TestHandOverAfterTheDrainLimit(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.process("a")
		lead, err := a.Campaign(tc.Context())
		require.NoError(tc, err)
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		began := time.Now()
		require.NoError(tc, a.StopAndHandOver(tc.Context(), "b"))
		require.Equal(tc, uint64(2), b.leads().Term)
		require.InDelta(tc, drain, time.Since(began), float64(soon))
		require.NoError(tc, lead.Resign(tc.Context()))
		require.Zero(tc, tc.vacancies())
	})
	inCluster(t, func(tc *cluster) {
		a := tc.process("a")
		lead, err := a.Campaign(tc.Context())
		require.NoError(tc, err)
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		ended := make(chan error, 1)
		go func() { ended <- a.StopAndHandOver(tc.Context(), "b") }()
		<-lead.Context().Done()
		require.NoError(tc, lead.Resign(tc.Context()))
		require.NoError(tc, <-ended)
		require.Equal(tc, uint64(2), b.leads().Term)
		require.Zero(tc, tc.vacancies())
	})
}

// While the store fails, the hand-over is retried for the leave limit, as a resignation is.
// If the answer of the commit is lost, the process finds out with its next transaction.
func TestHandOverDuringAnOutage(t *testing.T) {
	t.Run("shorter than the leave limit", func(t *testing.T) {
		inCluster(t, func(tc *cluster) {
			a, b := leaderAndFollower(tc)
			tc.before(of("a", fail(errDisk)))
			time.AfterFunc(leaveLimit-time.Second, func() { tc.before(nil) })
			require.NoError(tc, a.StopAndHandOver(tc.Context(), "b"))
			require.Equal(tc, elector.ReasonTransfer, b.leads().Reason)
			require.Zero(tc, tc.vacancies())
		})
	})
	t.Run("longer than the leave limit", func(t *testing.T) {
		inCluster(t, func(tc *cluster) {
			a, b := leaderAndFollower(tc)
			tc.before(of("a", fail(errDisk)))
			err := a.StopAndHandOver(tc.Context(), "b")
			var left *elector.LeaveError
			require.ErrorAs(tc, err, &left)
			var failed *elector.HandOverError
			require.NotErrorAs(tc, err, &failed, "it is not known")
			require.Equal(tc, elector.ReasonExpiry, b.leads().Reason)
		})
	})
	t.Run("a lost answer", func(t *testing.T) {
		inCluster(t, func(tc *cluster) {
			a, b := leaderAndFollower(tc)
			tc.after(of("a", func(ctx context.Context, c *memkv.Call) error {
				if c.Kind != memkv.CallCommit {
					return nil
				}
				tc.after(nil)
				<-ctx.Done() // until the limit of the hand-over
				return ctx.Err()
			}))
			require.NoError(tc, a.StopAndHandOver(tc.Context(), "b"))
			require.Equal(tc, uint64(2), b.leads().Term)
			require.Zero(tc, tc.vacancies())
		})
	})
}

// A successor that is named after Stop counts until the work has returned.
func TestHandOverAfterStop(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.process("a")
		ctx, cancel := context.WithCancel(tc.Context())
		named := make(chan struct{})
		a.run(ctx, func(ctx context.Context, _ *elector.Leadership) error {
			<-ctx.Done()
			<-named
			return nil
		})
		a.leads()
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		cancel()
		synctest.Wait()
		go func() { _ = a.StopAndHandOver(tc.Context(), "b") }()
		synctest.Wait()
		close(named)
		require.NoError(tc, <-a.result)
		require.Equal(tc, uint64(2), b.leads().Term)
		require.Zero(tc, tc.vacancies())
	})
}

// Without randomness there is no name for the new tenure. The process leaves all the same.
func TestHandOverWithoutRandomness(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a", func(_ *process, o *elector.Options) { o.Random = strings.NewReader(strings.Repeat("x", 16)) })
		a.leads()
		var failed *elector.HandOverError
		require.ErrorAs(tc, a.StopAndHandOver(tc.Context(), "b"), &failed)
		require.True(tc, tc.leader().Vacant())
	})
}
