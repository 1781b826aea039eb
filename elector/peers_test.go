package elector_test

import (
	"context"
	"fmt"
	"sync/atomic"
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

// Each test in this file is about a problem that users of another election have reported.

// client-go and controller-runtime release the lease on cancellation while the work that it
// protects still runs (kubernetes#139991, controller-runtime#1132).
func TestReleaseWaitsForWork(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a, b := tc.process("a"), tc.begin("b", priority(-1))
		b.leads()
		ctx, cancel := context.WithCancel(tc.Context())
		var returned atomic.Bool
		const toStop = drain - time.Second
		a.run(ctx, func(ctx context.Context, lead *elector.Leadership) error {
			<-ctx.Done()
			cleanUp := time.NewTimer(toStop)
			<-cleanUp.C
			require.NoError(tc, lead.LeaseContext().Err(), "the lease is renewed meanwhile")
			returned.Store(true)
			return nil
		})
		a.leads()
		time.Sleep(lease)
		cancel()
		cancelled := time.Now()
		b.leads()
		require.True(tc, returned.Load())
		require.GreaterOrEqual(tc, time.Since(cancelled), toStop)
		require.Less(tc, time.Since(cancelled), toStop+soon)
		require.NoError(tc, <-a.result)
	})
}

// etcd's Campaign ends with its session, so the caller has to handle an outage of 12 hours
// (etcd#19597). All attempts are alike, so the test lasts 20 minutes.
func TestCampaignSurvivesALongOutage(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		tc.before(fail(errDisk))
		leads := make(chan *elector.Leadership, 1)
		go func() {
			lead, err := p.Campaign(tc.Context())
			if err == nil {
				leads <- lead
			}
		}()
		time.Sleep(20 * time.Minute)
		tc.before(nil)
		recovered := time.Now()
		first := within(tc, leads, "leadership")
		require.Less(tc, time.Since(recovered), heartbeat)
		require.NoError(tc, first.Resign(tc.Context()))
	})
}

// If the data directory was lost meanwhile, etcd's Campaign never succeeds (etcd#19597).
func TestCampaignSurvivesALostDatabase(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		first, err := p.Campaign(tc.Context())
		require.NoError(tc, err)
		tc.before(fail(errDisk))
		time.Sleep(20 * time.Minute)
		tc.transact(func(tr kv.Transaction) error {
			begin, end := tc.election.Subspace().Range()
			tr.ClearRange(begin, end)
			return nil
		})
		tc.before(nil)
		require.NoError(tc, first.Resign(tc.Context()))
		second, err := p.Campaign(tc.Context())
		require.NoError(tc, err)
		require.True(tc, second.Leads())
		require.NotEqual(tc, first.Token(), second.Token())
		time.Sleep(2 * lease)
		require.True(tc, second.Leads())
	})
}

// etcd's Resign forgets its key when it fails and cannot be called again. Leadership then lasts
// until the session ends (etcd#22123).
func TestResignIsRetriedAfterAnError(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.process("a")
		lead, err := a.Campaign(tc.Context())
		require.NoError(tc, err)
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		tc.before(of("a", fail(errDisk)))
		ctx, cancel := context.WithTimeout(tc.Context(), time.Second)
		defer cancel()
		require.ErrorIs(tc, lead.Resign(ctx), context.DeadlineExceeded)
		tc.before(nil)
		require.NoError(tc, lead.Resign(tc.Context()), "a second call waits for the same release")
		recovered := time.Now()
		require.Equal(tc, uint64(2), b.leads().Term)
		require.Less(tc, time.Since(recovered), heartbeat, "the successor does not wait for the lease")
	})
}

// With client-go, a process has to exit to release leadership (KEP-5366).
func TestResignRequestWithoutExit(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a, b := tc.begin("a"), tc.process("b")
		a.leads()
		require.NoError(tc, b.Start(tc.Context()))
		b.enters(elector.StateFollower)
		time.Sleep(heartbeat / 2)
		tc.transact(func(tr kv.Transaction) error { return tc.election.RequestResign(tr, 1, nonce(1)) })
		require.Equal(tc, uint64(2), b.leads().Term)
		require.Contains(tc, a.reasons(), elector.ReasonAskedToResign)
		a.enters(elector.StateFollower)
		b.stop()
		require.Equal(tc, uint64(3), a.leads().Term, "it can lead again")
	})
}

// Users have asked client-go for priorities since 2019. foundationdb-rs had them, and a higher
// priority took leadership while the work of the lower one still ran.
func TestPriorityTakesOverWithoutOverlap(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		low := tc.process("low")
		var working atomic.Int64
		low.run(tc.Context(), func(ctx context.Context, _ *elector.Leadership) error {
			working.Add(1)
			defer working.Add(-1)
			<-ctx.Done()
			<-time.After(lease / 2) // within the grace
			return nil
		})
		low.leads()
		time.Sleep(lease)
		high := tc.begin("high", priority(1), callbacks(func(c *elector.Callbacks) {
			c.OnElected = func(context.Context, elector.Transition) { working.Add(10) }
		}))
		challenged := time.Now()
		high.leads()
		synctest.Wait()
		require.EqualValues(tc, 10, working.Load())
		require.InDelta(tc, lease/2, time.Since(challenged), float64(2*soon))
		require.Equal(tc, election.AcquirePreemption, tc.leader().AcquireReason)

		equal := tc.begin("equal", priority(1))
		equal.enters(elector.StateFollower)
		time.Sleep(5 * lease)
		require.True(tc, high.Leading(), "only a strictly higher priority preempts")
	})
}

// A partitioned holder of a Consul lock does not learn for minutes that it has lost the lock
// (consul#18271), and its child process is killed 90 s late (consul#9788).
func TestPartitionedLeaderStopsInTime(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a, b := tc.process("a"), tc.process("b")
		lead := within(tc, a.tenures(nil), "leadership")
		require.NoError(tc, b.Start(tc.Context()))
		b.enters(elector.StateFollower)
		time.Sleep(lease)
		tc.before(of("a", hang))
		b.leads()
		require.False(tc, a.Leading())
		require.Error(tc, lead.LeaseContext().Err())
		tc.before(nil)
	})
}

// With Curator, two processes led at the same time (CURATOR-1137, 1169, 1211). Here two
// processes never lead at the same instant, whatever fails in the store.
func TestNeverTwoLeaders(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		all := []*process{tc.begin("a"), tc.begin("b"), tc.begin("c")}
		for round := range 30 {
			switch cut := all[round%3]; round % 4 {
			case 0:
				tc.before(of(cut.id, hang))
			case 1:
				tc.before(on(memkv.CallCommit, cut.id, fail(kv.Error{Code: kv.CodeTransactionTimedOut})))
			case 2:
				tc.after(on(memkv.CallCommit, cut.id, fail(kv.Error{Code: kv.CodeTransactionTimedOut})))
			case 3:
				tc.before(nil)
				tc.after(nil)
			}
			for range 100 {
				time.Sleep(2 * lease / 100)
				leaders := 0
				for _, p := range all {
					if p.Leading() {
						leaders++
					}
				}
				require.LessOrEqual(tc, leaders, 1)
			}
		}
		tc.before(nil)
		tc.after(nil)
		require.Greater(tc, tc.leader().Term, uint64(3))
	})
}

// A client of DynamoDB's lock that starts after a crash waits a complete lease, even if the
// holder has been dead for long (amazon-dynamodb-lock-client#34). With expiry by observation a
// new process waits too: it does not rely on a wall clock, so it must see the leader record
// unchanged for a lease. With expiry by clock it claims at once.
func TestNewProcessWaitsForTheLeaseOnItsOwnClock(t *testing.T) {
	for mode, wait := range map[fdbelection.ExpiryMode]time.Duration{
		fdbelection.ExpiryByObservation: lease,
		fdbelection.ExpiryByClock:       0,
	} {
		t.Run(mode.String(), func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				tc.config.Expiry = mode
				a := tc.begin("a")
				a.leads()
				a.Abandon()
				time.Sleep(time.Hour)
				started := time.Now()
				tc.begin("b").leads()
				require.InDelta(tc, wait, time.Since(started), float64(step+soon))
			})
		})
	}
}

// After a lost acknowledgement dynamolock waits for its own lease to expire (dynamolock#280).
func TestLostAcknowledgementDoesNotCostALease(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		lost, wasLost := once(tc.commits("a", "term"), fail(kv.Error{Code: kv.CodeTransactionTimedOut}))
		tc.after(lost)
		p := tc.begin("a")
		p.leads()
		require.True(tc, wasLost())
		require.Less(tc, time.Since(tc.start), time.Second)
		require.Equal(tc, uint64(1), tc.leader().Term)
	})
}

// River could not distinguish two terms of the same client (river#1213).
func TestTermIdentifiesATenure(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		tenures := p.tenures(nil)
		first := within(tc, tenures, "leadership")
		tc.before(fail(errDisk))
		<-first.LeaseContext().Done()
		tc.before(nil)
		second := within(tc, tenures, "the next leadership")
		require.Greater(tc, second.Term(), first.Term())
		require.NotEqual(tc, first.Token(), second.Token())
		require.ErrorIs(tc, tc.db.Transact(tc.Context(), first.Fence), fdbelection.ErrFenced)
		require.NoError(tc, tc.db.Transact(tc.Context(), second.Fence))
		require.Equal(tc, second.Term(), p.Term())
	})
}

// Renewals of River waited for a connection that its own work used (river#695).
func TestRenewalsAreNotStarvedBySlowCallbacks(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		tc.initialize()
		hold := make(chan struct{})
		p := tc.begin("a", callbacks(func(c *elector.Callbacks) {
			c.OnElected = func(context.Context, elector.Transition) { <-hold } // ignores its context
		}), func(_ *process, o *elector.Options) { o.CallbackLimit = 100 * lease })
		tc.until("held", func(l election.LeaderRecord) bool { return !l.Vacant() })
		const heartbeats = 30
		time.Sleep(heartbeats * heartbeat)
		require.True(tc, p.Leading())
		require.InDelta(tc, heartbeats+1, tc.leader().Ballot, 1)
		close(hold)
	})
}

// A node of Oban named a leader that was gone for 19 days (oban#1488).
func TestProcessesForgetALeaderWithoutTheStore(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		a.leads()
		b, o := tc.begin("b"), tc.begin("o", observer)
		b.enters(elector.StateFollower)
		time.Sleep(2 * heartbeat)
		require.Equal(tc, "a", o.LeaderID())
		tc.before(hang)
		time.Sleep(lease + heartbeat)
		for _, p := range []*process{a, b, o} {
			require.Empty(tc, p.LeaderID(), p.id)
			require.False(tc, p.Leading())
		}
		tc.before(nil)
	})
}

// A node of Oban that must never lead could lead (oban#1341).
func TestObserverNeverLeads(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		o := tc.begin("o", observer, priority(100))
		o.enters(elector.StateObserver)
		time.Sleep(10 * lease)
		require.True(tc, tc.leader().Vacant())
		a := tc.begin("a")
		a.leads()
		time.Sleep(lease)
		a.Abandon()
		time.Sleep(10 * lease)
		require.Equal(tc, uint64(1), tc.leader().Term)
		require.True(tc, tc.listed("o"))
		require.Equal(tc, []elector.State{elector.StateObserver}, o.history())
	})
}

// The lock of the fdb-kubernetes-operator cannot be released, so others wait ten minutes
// (fdb-kubernetes-operator#2315).
func TestVoluntaryRelease(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.process("a")
		lead, err := a.Campaign(tc.Context())
		require.NoError(tc, err)
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		time.Sleep(heartbeat)
		require.NoError(tc, lead.Resign(tc.Context()))
		released := time.Now()
		b.leads()
		require.Less(tc, time.Since(released), soon)
		require.True(tc, tc.listed("a"), "it stays registered")
	})
}

// client-go calls OnStoppedLeading even if the process never led, and other elections may not
// call it at all. Here OnDemoted follows OnElected and is called only then.
func TestOnDemotedFollowsOnElected(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		var elected, demoted atomic.Int64
		count := callbacks(func(c *elector.Callbacks) {
			c.OnElected = func(context.Context, elector.Transition) { elected.Add(1) }
			c.OnDemoted = func(context.Context, elector.Transition) { demoted.Add(1) }
		})
		tc.begin("other").leads()
		follower := tc.begin("follower", count)
		follower.enters(elector.StateFollower)
		follower.stop()
		require.Zero(tc, elected.Load()+demoted.Load())

		high := tc.begin("high", priority(1), count)
		high.leads()
		high.Abandon() // OnDemoted is called even then
		synctest.Wait()
		require.EqualValues(tc, 1, elected.Load())
		require.EqualValues(tc, 1, demoted.Load())
	})
}

// If processes of a higher priority crash right after they have requested leadership, the
// leader continues. A preemption request counts only while its author is alive.
func TestCrashingChallengers(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		low := tc.begin("low")
		low.leads()
		for i := range 20 {
			high := tc.process(fmt.Sprintf("high-%d", i), priority(1))
			require.NoError(tc, high.Start(tc.Context()))
			for requested := false; !requested; time.Sleep(time.Millisecond) {
				request, err := kv.ReadTransact(tc.Context(), tc.db, tc.election.ReadRequest)
				require.NoError(tc, err)
				requested = request.ID == high.NodeID()
			}
			high.Abandon()
			for range 100 {
				time.Sleep(lease / 50)
				require.True(tc, low.Leading())
			}
		}
		require.Equal(tc, uint64(1), low.Term())
	})
}
