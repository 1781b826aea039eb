package elector_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// late is how late something may be before Health calls it stuck.
const late = 3 * heartbeat

// healthy expects that Health returns nil.
func (p *process) healthy() {
	p.tc.Helper()
	require.NoError(p.tc, p.Health(p.tc.Context()))
}

// ill expects a failure of one kind, which began at since, and returns it.
func (p *process) ill(kind error, since time.Time) *elector.HealthError {
	p.tc.Helper()
	var failure *elector.HealthError
	err := p.Health(p.tc.Context())
	require.ErrorAs(p.tc, err, &failure)
	require.ErrorIs(p.tc, err, kind)
	require.Equal(p.tc, kind, failure.Kind)
	require.WithinDuration(p.tc, since, failure.Since, step+soon, "%v", err)
	require.NotContains(p.tc, err.Error(), "\n")
	return failure
}

// healthyUntil expects that a process is healthy for a time, and waits a little longer.
func (p *process) healthyUntil(d time.Duration) {
	p.tc.Helper()
	for end := time.Now().Add(d - soon); time.Now().Before(end); time.Sleep(soon) {
		p.healthy()
	}
	time.Sleep(2 * soon)
}

// Every role is healthy for as long as everything works, and so is an elector that has not
// started or that the program has stopped.
func TestHealthOfEveryRole(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a, b, o, reader := tc.process("a"), tc.process("b"), tc.process("o", observer), tc.process("reader")
		all := []*process{a, b, o, reader}
		for _, p := range all {
			p.healthy()
		}
		require.NoError(tc, a.Start(tc.Context()))
		a.leads()
		require.NoError(tc, b.Start(tc.Context()))
		require.NoError(tc, o.Start(tc.Context()))
		ctx, cancel := context.WithCancel(tc.Context())
		for range reader.Subscribe(ctx) {
			break
		}
		for range 300 {
			time.Sleep(step / 3)
			for _, p := range all {
				p.healthy()
			}
		}
		require.Equal(tc, elector.StateObserver, reader.State())
		cancel()
		a.stop()
		b.leads()
		b.Abandon()
		o.stop()
		time.Sleep(2 * lease)
		for _, p := range all {
			require.Equal(tc, elector.StateStopped, p.State())
			p.healthy()
		}
	})
}

// If the store fails or does not answer, a leader is unhealthy from jeopardy until its work has
// stopped. A process that does not lead is healthy.
func TestHealthWhileTheStoreIsUnavailable(t *testing.T) {
	for name, fault := range map[string]hook{"fails": fail(errDisk), "hangs": hang} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				a, b, o := tc.begin("a"), tc.process("b"), tc.process("o", observer)
				a.leads()
				require.NoError(tc, b.Start(tc.Context()))
				b.enters(elector.StateFollower)
				require.NoError(tc, o.Start(tc.Context()))
				time.Sleep(lease)
				tc.before(fault)
				unhealthy := time.Duration(0)
				for range 5000 {
					time.Sleep(soon)
					synctest.Wait() // for what happens at this instant
					b.healthy()
					o.healthy()
					if a.State() == elector.StateJeopardy {
						failure := a.ill(elector.ErrUnrenewed, a.lastRenewal())
						require.NotErrorIs(tc, failure, elector.ErrStuck)
						unhealthy += soon
					} else {
						a.healthy()
					}
				}
				require.InDelta(tc, stopAt-halfAt, unhealthy, float64(2*soon))
				tc.before(nil)
				time.Sleep(lease)
				a.healthy()
			})
		})
	}
}

// lastRenewal returns when the lease of the leader record began that this process knows.
func (p *process) lastRenewal() time.Time {
	leader := p.tc.leader()
	return leader.LeaseExpiry.Add(-leader.LeaseDuration)
}

// An operation that ignores the end of its time makes every role unhealthy.
func TestHealthOfAHungOperation(t *testing.T) {
	for name, leads := range map[string]bool{"leader": true, "follower": false} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				if !leads {
					tc.begin("b").leads()
				}
				a := tc.begin("a")
				if leads {
					a.leads()
				} else {
					a.enters(elector.StateFollower)
				}
				time.Sleep(lease)
				hold := make(chan struct{})
				entered := make(chan struct{}, 100)
				tc.before(of("a", func(context.Context, *memkv.Call) error {
					entered <- struct{}{}
					<-hold
					return errDisk
				}))
				within(tc, entered, "an operation")
				limit := heartbeat
				if leads { // half of the time until the stop deadline
					limit = max(heartbeat, stopAt/2)
				}
				overdue := time.Now().Add(limit)
				time.Sleep(limit + late - step)
				require.NotErrorIs(tc, a.Health(tc.Context()), elector.ErrStuck)
				time.Sleep(2 * step)
				failure := a.ill(elector.ErrStuck, overdue)
				require.ErrorContains(tc, failure, "has not returned although its time is over")
				tc.before(nil)
				close(hold)
				time.Sleep(heartbeat)
				a.healthy()
			})
		})
	}
}

// A callback that does not return makes its process unhealthy, although the loop goes on.
func TestHealthOfAHungCallback(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		tc.begin("b").leads()
		follows := newHung()
		a := tc.begin("a", callbacks(func(c *elector.Callbacks) { c.OnEnterFollower = follows.ofTransition }))
		for len(follows.made()) == 0 {
			time.Sleep(time.Millisecond)
		}
		called := time.Now()
		a.healthyUntil(callbackLimit + late)
		require.ErrorContains(tc, a.ill(elector.ErrStuck, called), "callback OnEnterFollower has not returned")
		require.Equal(tc, elector.StateFollower, a.State())
		close(follows.hold)
		synctest.Wait()
		a.healthy()
	})
}

// Work of Run that ignores the end of its lease makes its process unhealthy until it returns,
// whether it could not renew or lost leadership in another way.
func TestHealthOfWorkThatDoesNotReturn(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		hold := make(chan struct{})
		a := tc.process("a")
		a.run(tc.Context(), func(context.Context, *elector.Leadership) error { <-hold; return nil })
		a.leads()
		time.Sleep(lease)
		tc.before(hang)
		a.enters(elector.StateCandidate)
		renewed := a.lastRenewal()
		_ = a.ill(elector.ErrUnrenewed, renewed)
		time.Sleep(time.Until(renewed.Add(endAt + drain - soon)))
		_ = a.ill(elector.ErrUnrenewed, renewed)
		time.Sleep(2 * soon)
		failure := a.ill(elector.ErrStuck, renewed.Add(endAt))
		var unfinished *elector.UnfinishedWorkError
		require.ErrorAs(tc, failure, &unfinished)
		require.Equal(tc, uint64(1), unfinished.Term)
		tc.before(nil)
		time.Sleep(lease)
		_ = a.ill(elector.ErrStuck, renewed.Add(endAt))
		close(hold)
		synctest.Wait()
		a.healthy()
	})
	inCluster(t, func(tc *cluster) {
		hold, leases := make(chan struct{}), make(chan context.Context, 1)
		a := tc.process("a")
		a.run(tc.Context(), func(_ context.Context, lead *elector.Leadership) error {
			leases <- lead.LeaseContext()
			<-hold
			return nil
		})
		a.leads()
		time.Sleep(heartbeat / 2)
		tc.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
		a.enters(elector.StateCandidate)
		a.healthy()
		<-within(tc, leases, "the work").Done()
		ended := time.Now()
		a.healthyUntil(drain)
		require.ErrorContains(tc, a.ill(elector.ErrStuck, ended), "let the work end with its context")
		close(hold)
		synctest.Wait()
		a.healthy()
	})
}

// Work that has returned is healthy, even if a callback of the loss has not.
func TestHealthOfWorkWithALateCallback(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		demoted := newHung()
		defer close(demoted.hold)
		a := tc.process("a", callbacks(func(c *elector.Callbacks) { c.OnDemoted = demoted.ofTransition }))
		a.run(tc.Context(), untilStopped)
		a.leads()
		tc.transact(func(tr kv.Transaction) error {
			leader, err := tc.election.GetLeaderRaw(tr)
			if err != nil {
				return err
			}
			return tc.election.ForceResign(tr, leader.Token(), leader.Ballot, time.Now())
		})
		for len(demoted.made()) == 0 {
			time.Sleep(time.Millisecond)
		}
		require.Greater(tc, callbackLimit, drain)
		a.healthyUntil(callbackLimit + late)
		require.ErrorContains(tc, a.Health(tc.Context()), "callback OnDemoted has not returned")
	})
}

// The callbacks in the form of client-go's are watched too.
func TestHealthOfHungLeaderCallbacks(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		started, seen := newHung(), newHung()
		a := tc.process("a")
		go func() {
			a.result <- a.RunCallbacks(tc.Context(), elector.LeaderCallbacks{
				OnStartedLeading: func(context.Context) { started.call("started") },
				OnNewLeader:      seen.call,
			})
		}()
		a.leads()
		synctest.Wait()
		called := time.Now()
		require.Len(tc, seen.made(), 1)
		a.healthyUntil(callbackLimit + late)
		require.ErrorContains(tc, a.ill(elector.ErrStuck, called), "callback OnNewLeader has not returned")
		close(seen.hold)
		synctest.Wait()
		a.healthy()
		tc.before(hang)
		time.Sleep(2*lease + drain)
		require.ErrorContains(tc, a.Health(tc.Context()), "the work of term 1 has not returned")
		tc.before(nil)
		close(started.hold)
		synctest.Wait()
		a.healthy()
	})
}

// An elector that has stopped by itself is unhealthy until it is started again. One that could
// only not unregister is healthy, because the program has stopped it.
func TestHealthAfterTheElectorHasStopped(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		a.leads()
		time.Sleep(heartbeat / 2)
		newer := tc.process("a")
		newer.run(tc.Context(), untilStopped)
		require.ErrorIs(tc, within(tc, newer.result, "the end of Run"), fdbelection.ErrDuplicateID)
		stopped := time.Now()
		time.Sleep(lease)
		failure := newer.ill(elector.ErrStopped, stopped)
		require.ErrorIs(tc, failure, fdbelection.ErrDuplicateID)
		a.healthy()
		a.stop()
		require.NoError(tc, newer.Start(tc.Context()))
		newer.healthy()
		newer.leads()

		tc.before(hang)
		var leave *elector.LeaveError
		require.ErrorAs(tc, newer.Stop(tc.Context()), &leave)
		newer.healthy()
	})
}

// An elector that stops by itself and cannot unregister is unhealthy because of the first error.
func TestHealthAfterTwoErrors(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		broken := errors.New("the store is broken for good")
		a := tc.begin("a", func(_ *process, o *elector.Options) {
			o.Permanent = func(err error) bool { return errors.Is(err, broken) }
		})
		a.leads()
		tc.before(fail(broken))
		a.enters(elector.StateStopped)
		failure := a.ill(elector.ErrStopped, time.Now())
		require.ErrorIs(tc, failure, broken)
		var leave *elector.LeaveError
		require.NotErrorAs(tc, failure, &leave)
		require.ErrorAs(tc, a.Stop(tc.Context()), &leave)
	})
}
