package elector_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

// waits calls WaitLeader with a limit, and returns also how long it took.
func (p *process) waits(limit time.Duration) (elector.LeaderInfo, time.Duration, error) {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(p.tc.Context(), limit)
	defer cancel()
	leader, err := p.WaitLeader(ctx)
	return leader, time.Since(begin), err
}

// unsettled expects that WaitLeader has no answer within a lease, because of a problem.
func (p *process) unsettled(problem string, causes ...error) {
	p.tc.Helper()
	_, took, err := p.waits(lease)
	var unsettled *election.UnsettledError
	require.ErrorAs(p.tc, err, &unsettled)
	require.ErrorContains(p.tc, err, problem)
	for _, cause := range append(causes, context.DeadlineExceeded) {
		require.ErrorIs(p.tc, err, cause)
	}
	require.Equal(p.tc, lease, took)
}

// A leader knows at once that it leads. Other processes know it after the next renewal that they
// see, and then at once for as long as it renews.
func TestWaitLeaderInEveryRole(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a", func(_ *process, o *elector.Options) { o.Metadata = map[string]string{"at": "10.0.0.1"} })
		a.leads()
		time.Sleep(heartbeat / 2)
		b, o, reader := tc.begin("b"), tc.begin("o", observer), tc.process("reader")
		for _, p := range []*process{a, b, o, reader} {
			leader, took, err := p.waits(lease)
			require.NoError(tc, err, p.id)
			require.Equal(tc, "a", leader.ID)
			require.Equal(tc, tc.leader().Token(), leader.Token())
			require.Equal(tc, "10.0.0.1", leader.Metadata["at"])
			if p == a {
				require.Zero(tc, took)
			} else {
				require.LessOrEqual(tc, took, heartbeat+2*step, p.id)
			}
		}
		require.Equal(tc, elector.StateStopped, reader.State(), "it subscribes only while it waits")
		for range 100 {
			time.Sleep(step)
			for _, p := range []*process{a, b, o} {
				_, took, err := p.waits(lease)
				require.NoError(tc, err, p.id)
				require.Zero(tc, took, p.id)
			}
		}
	})
}

// A process that has not seen a renewal does not take the record of a dead leader for an answer.
// It gets the successor as soon as that leads.
func TestWaitLeaderAfterADeath(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		a.leads()
		a.Abandon()
		reader := tc.process("reader")
		reader.unsettled("holds leadership in term 1 and may be dead: no renewal was seen yet")
		b := tc.begin("b")
		leader, _, err := reader.waits(3 * lease)
		require.NoError(tc, err)
		require.Equal(tc, "b", leader.ID)
		synctest.Wait()
		require.True(tc, b.Leading())
		require.Equal(tc, uint64(2), leader.Term)
	})
}

// No answer names a leader that the process has seen displaced: not during a vacancy, and not
// before the successor has accepted.
func TestWaitLeaderAfterADisplacement(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a, c := tc.begin("a"), tc.begin("c", observer)
		a.leads()
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		time.Sleep(lease)
		_, _, err := c.waits(lease)
		require.NoError(tc, err)

		tc.before(of("b", hang))
		require.NoError(tc, tc.transfer("b"))
		tc.until("handed over", func(l election.LeaderRecord) bool { return l.ID == "b" && !l.Accepted })
		synctest.Wait()
		_, took, err := c.waits(step)
		require.ErrorContains(tc, err, "was handed leadership in term 2 and has not accepted it yet")
		require.Equal(tc, step, took)
		tc.before(nil)
		leader, _, err := c.waits(lease)
		require.NoError(tc, err)
		require.Equal(tc, tc.leader().Token(), leader.Token())

		tc.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
		tc.until("vacant", election.LeaderRecord.Vacant)
		synctest.Wait()
		c.unsettled("leadership is vacant")
	})
}

// While the store does not answer, an answer is good for as long as the last renewal that was
// seen proves that the lease is live. Then the error of the store is in the error.
func TestWaitLeaderWhileTheStoreIsUnavailable(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		tc.begin("a").leads()
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		time.Sleep(lease)
		_, _, err := b.waits(lease)
		require.NoError(tc, err)
		tc.before(fail(errDisk))
		since := time.Now()
		for {
			time.Sleep(step)
			leader, took, err := b.waits(step)
			if err != nil {
				break
			}
			require.Zero(tc, took)
			require.Less(tc, time.Since(tc.leader().LeaseExpiry), time.Duration(0), "%v", leader)
		}
		require.InDelta(tc, lease-heartbeat, time.Since(since), float64(heartbeat+2*step))
		_, _, err = b.waits(lease)
		require.Equal(tc, kv.CodeIOError, kv.CodeOf(err))
		b.unsettled("")
		reader := tc.process("reader")
		reader.unsettled("the store has not answered yet")
	})
}

// Once the store is available again, its last error is not a reason any more.
func TestWaitLeaderAfterTheStoreIsAvailableAgain(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		tc.config.ElectionEnabled = false
		reports := make(chan error, 100)
		a := tc.begin("a", callbacks(func(c *elector.Callbacks) {
			c.OnStoreError = func(_ context.Context, err error) { reports <- err }
		}))
		a.unsettled("leadership is vacant")
		tc.before(fail(errDisk))
		require.Error(tc, within(tc, reports, "the error"))
		_, _, err := a.waits(1)
		require.Equal(tc, kv.CodeIOError, kv.CodeOf(err))
		tc.before(nil)
		require.NoError(tc, within(tc, reports, "the end of the error"))
		_, _, err = a.waits(1)
		require.ErrorIs(tc, err, context.DeadlineExceeded)
		require.Zero(tc, kv.CodeOf(err), "%v", err)
	})
}

// By clock, the first read decides.
func TestWaitLeaderByClock(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		tc.config.Expiry = fdbelection.ExpiryByClock
		a := tc.begin("a")
		a.leads()
		a.Abandon()
		time.Sleep(lease - step)
		reader := tc.process("reader")
		leader, took, err := reader.waits(lease)
		require.NoError(tc, err)
		require.Equal(tc, "a", leader.ID)
		require.Less(tc, took, soon)
		time.Sleep(step)
		reader.unsettled("the lease of " + leader.Identity.String() + " has expired by the local clock")
	})
}

// A process that holds leadership and drains is not an answer, and neither is an election that does
// not exist. A wait ends with its elector.
func TestWaitLeaderEndsWithTheElector(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		reader := tc.process("reader")
		reader.unsettled("the store has not answered yet", fdbelection.ErrNotInitialized)

		hold := make(chan struct{})
		a := tc.process("a")
		a.run(tc.Context(), func(context.Context, *elector.Leadership) error { <-hold; return nil })
		a.leads()
		tc.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
		a.enters(elector.StateCandidate)
		_, _, err := a.waits(step)
		require.ErrorContains(tc, err, "this process holds leadership and does not lead")
		ended := make(chan error)
		go func() {
			_, err := a.WaitLeader(tc.Context())
			ended <- err
		}()
		synctest.Wait()
		close(hold)
		a.stop()
		require.ErrorIs(tc, within(tc, ended, "the end of the wait"), elector.ErrNotRunning)

		ctx, cancel := context.WithCancel(tc.Context())
		cancel()
		_, err = a.WaitLeader(ctx)
		require.ErrorIs(tc, err, context.Canceled)
	})
}
