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

// This file holds what users of other elections have complained about, one test
// for each.

// client-go and controller-runtime release the lease on cancellation, while the
// work that it protects is still going on (kubernetes#139991,
// controller-runtime#1132).
func TestLeaderIsReleasedOnlyAfterWorkReturned(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.process("a"), w.begin("b", priority(-1))
		b.leads()
		ctx, cancel := context.WithCancel(w.Context())
		var returned atomic.Bool
		const toStop = drain - time.Second
		a.run(ctx, func(ctx context.Context, lead *elector.Leadership) error {
			<-ctx.Done()
			cleanUp := time.NewTimer(toStop)
			<-cleanUp.C
			require.NoError(w, lead.LeaseContext().Err(), "it is renewed meanwhile")
			returned.Store(true)
			return nil
		})
		a.leads()
		time.Sleep(lease)
		cancel()
		asked := time.Now()
		b.leads()
		require.True(w, returned.Load())
		require.GreaterOrEqual(w, time.Since(asked), toStop)
		require.Less(w, time.Since(asked), toStop+soon)
		require.NoError(w, <-a.result)
	})
}

// etcd's Campaign ends with its session, so an outage of 12 hours has to be noticed
// and mended by the caller (etcd#19597). A try is one like the next, so the test
// lasts 20 minutes.
func TestCampaignSurvivesALongOutage(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.process("a")
		w.before(fail(errDisk))
		leads := make(chan *elector.Leadership, 1)
		go func() {
			lead, err := p.Campaign(w.Context())
			if err == nil {
				leads <- lead
			}
		}()
		time.Sleep(20 * time.Minute)
		w.before(nil)
		recovered := time.Now()
		first := within(w, leads, "leadership")
		require.Less(w, time.Since(recovered), heartbeat)
		require.NoError(w, first.Resign(w.Context()))
	})
}

// And with a data directory that was lost meanwhile, never again (etcd#19597).
func TestCampaignSurvivesALostDatabase(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.process("a")
		first, err := p.Campaign(w.Context())
		require.NoError(w, err)
		w.before(fail(errDisk))
		time.Sleep(20 * time.Minute)
		w.transact(func(tr kv.Transaction) error {
			begin, end := w.election.Subspace().Range()
			tr.ClearRange(begin, end)
			return nil
		})
		w.before(nil)
		require.NoError(w, first.Resign(w.Context()))
		second, err := p.Campaign(w.Context())
		require.NoError(w, err)
		require.True(w, second.Leads())
		require.NotEqual(w, first.Token(), second.Token())
		time.Sleep(2 * lease)
		require.True(w, second.Leads())
	})
}

// etcd's Resign forgets its key when it fails, and cannot be called again: the
// seat is then held until the session ends (etcd#22123).
func TestResignIsTriedAgainAfterAnError(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.process("a")
		lead, err := a.Campaign(w.Context())
		require.NoError(w, err)
		b := w.begin("b")
		b.enters(elector.StateFollower)
		w.before(of("a", fail(errDisk)))
		ctx, cancel := context.WithTimeout(w.Context(), time.Second)
		defer cancel()
		require.ErrorIs(w, lead.Resign(ctx), context.DeadlineExceeded)
		w.before(nil)
		require.NoError(w, lead.Resign(w.Context()), "a second call waits for the same")
		mended := time.Now()
		require.Equal(w, uint64(2), b.leads().Term)
		require.Less(w, time.Since(mended), heartbeat, "no lease is waited for")
	})
}

// With client-go a process has to exit to give up leadership (KEP-5366).
func TestStepsDownWithoutLeavingTheProcess(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.begin("a"), w.process("b")
		a.leads()
		require.NoError(w, b.Start(w.Context()))
		b.enters(elector.StateFollower)
		time.Sleep(heartbeat / 2)
		w.transact(func(tr kv.Transaction) error { return w.election.RequestResign(tr, 1, nonce(1)) })
		require.Equal(w, uint64(2), b.leads().Term)
		require.Contains(w, a.reasons(), elector.ReasonAskedToResign)
		a.enters(elector.StateFollower)
		b.stop()
		require.Equal(w, uint64(3), a.leads().Term, "it can lead again")
	})
}

// client-go has been asked for priorities since 2019; foundationdb-rs has had
// them, and a higher one took the seat while the work of the lower went on.
func TestPriorityTakesOverWithoutOverlap(t *testing.T) {
	inWorld(t, func(w *world) {
		low := w.process("low")
		var working atomic.Int64
		low.run(w.Context(), func(ctx context.Context, _ *elector.Leadership) error {
			working.Add(1)
			defer working.Add(-1)
			<-ctx.Done()
			<-time.After(lease / 2) // within the grace
			return nil
		})
		low.leads()
		time.Sleep(lease)
		high := w.begin("high", priority(1), callbacks(func(c *elector.Callbacks) {
			c.OnElected = func(context.Context, elector.Transition) { working.Add(10) }
		}))
		challenged := time.Now()
		high.leads()
		synctest.Wait()
		require.EqualValues(w, 10, working.Load())
		require.InDelta(w, lease/2, time.Since(challenged), float64(2*soon))
		require.Equal(w, election.AcquirePreemption, w.seat().AcquireReason)

		equal := w.begin("equal", priority(1))
		equal.enters(elector.StateFollower)
		time.Sleep(5 * lease)
		require.True(w, high.believes(), "only a strictly higher one preempts")
	})
}

// A partitioned holder of a Consul lock does not know for minutes that it has
// lost it (consul#18271), and its child is killed 90 s late (consul#9788).
func TestPartitionedHolderKnowsInTime(t *testing.T) {
	inWorld(t, func(w *world) {
		a, b := w.process("a"), w.process("b")
		lead := within(w, a.tenures(nil), "leadership")
		require.NoError(w, b.Start(w.Context()))
		b.enters(elector.StateFollower)
		time.Sleep(lease)
		w.before(of("a", hang))
		b.leads()
		require.False(w, a.believes())
		require.Error(w, lead.LeaseContext().Err())
		w.before(nil)
	})
}

// Two processes led at once with Curator (CURATOR-1137, 1169, 1211): here at no
// instant do two find themselves leading, however the store treats them.
func TestNeverTwoLeaders(t *testing.T) {
	inWorld(t, func(w *world) {
		all := []*process{w.begin("a"), w.begin("b"), w.begin("c")}
		for round := range 30 {
			switch cut := all[round%3]; round % 4 {
			case 0:
				w.before(of(cut.id, hang))
			case 1:
				w.before(on(memkv.CallCommit, cut.id, fail(kv.Error{Code: kv.CodeTransactionTimedOut})))
			case 2:
				w.after(on(memkv.CallCommit, cut.id, fail(kv.Error{Code: kv.CodeTransactionTimedOut})))
			case 3:
				w.before(nil)
				w.after(nil)
			}
			for range 100 {
				time.Sleep(2 * lease / 100)
				leaders := 0
				for _, p := range all {
					if p.believes() {
						leaders++
					}
				}
				require.LessOrEqual(w, leaders, 1)
			}
		}
		w.before(nil)
		w.after(nil)
		require.Greater(w, w.seat().Term, uint64(3))
	})
}

// A client of DynamoDB's lock that starts after a crash waits a whole lease,
// although the lock has long been dead (amazon-dynamodb-lock-client#34). That is
// true of a cold elector as well, by observation: it trusts no wall clock, so it
// must see the seat stand still for a lease. By clock it takes the seat at once.
func TestColdConsumerWaitsAsLongAsItsClockDemands(t *testing.T) {
	for mode, wait := range map[fdbelection.ExpiryMode]time.Duration{
		fdbelection.ExpiryByObservation: lease,
		fdbelection.ExpiryByClock:       0,
	} {
		t.Run(mode.String(), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.config.Expiry = mode
				a := w.begin("a")
				a.leads()
				a.Abandon()
				time.Sleep(time.Hour)
				came := time.Now()
				w.begin("b").leads()
				require.InDelta(w, wait, time.Since(came), float64(step+soon))
			})
		})
	}
}

// A lost acknowledgement costs dynamolock a whole lease, in which it waits for
// itself (dynamolock#280).
func TestLostAcknowledgementDoesNotCostALease(t *testing.T) {
	inWorld(t, func(w *world) {
		lost, wasLost := once(w.commits("a", "term"), fail(kv.Error{Code: kv.CodeTransactionTimedOut}))
		w.after(lost)
		p := w.begin("a")
		p.leads()
		require.True(w, wasLost())
		require.Less(w, time.Since(w.start), time.Second)
		require.Equal(w, uint64(1), w.seat().Term)
	})
}

// River could not tell one term of a leader from the next of the same client
// (river#1213).
func TestTermIdentifiesATenure(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.process("a")
		tenures := p.tenures(nil)
		first := within(w, tenures, "leadership")
		w.before(fail(errDisk))
		<-first.LeaseContext().Done()
		w.before(nil)
		second := within(w, tenures, "another leadership")
		require.Greater(w, second.Term(), first.Term())
		require.NotEqual(w, first.Token(), second.Token())
		require.ErrorIs(w, w.db.Transact(w.Context(), first.Fence), fdbelection.ErrFenced)
		require.NoError(w, w.db.Transact(w.Context(), second.Fence))
		require.Equal(w, second.Term(), p.Term())
	})
}

// River's renewals wait for a connection that its own work holds (river#695).
func TestRenewalsAreNotStarvedBySlowCallbacks(t *testing.T) {
	inWorld(t, func(w *world) {
		w.initialize()
		hold := make(chan struct{})
		p := w.begin("a", callbacks(func(c *elector.Callbacks) {
			c.OnElected = func(context.Context, elector.Transition) { <-hold } // whatever its context says
		}), func(_ *process, o *elector.Options) { o.CallbackLimit = 100 * lease })
		w.until("held", func(l election.LeaderRecord) bool { return !l.Vacant() })
		const beats = 30
		time.Sleep(beats * heartbeat)
		require.True(w, p.believes())
		require.InDelta(w, beats+1, w.seat().Ballot, 1)
		close(hold)
	})
}

// A node of Oban believed for 19 days in a leader that was gone (oban#1488).
func TestStaleBeliefEnds(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.begin("a")
		a.leads()
		b, o := w.begin("b"), w.begin("o", observer)
		b.enters(elector.StateFollower)
		time.Sleep(2 * heartbeat)
		require.Equal(w, "a", o.LeaderID())
		w.before(hang)
		time.Sleep(lease + heartbeat)
		for _, p := range []*process{a, b, o} {
			require.Empty(w, p.LeaderID(), p.id)
			require.False(w, p.believes())
		}
		w.before(nil)
	})
}

// A node of Oban that must never lead could still do so (oban#1341).
func TestObserverNeverLeads(t *testing.T) {
	inWorld(t, func(w *world) {
		o := w.begin("o", observer, priority(100))
		o.enters(elector.StateObserver)
		time.Sleep(10 * lease)
		require.True(w, w.seat().Vacant())
		a := w.begin("a")
		a.leads()
		time.Sleep(lease)
		a.Abandon()
		time.Sleep(10 * lease)
		require.Equal(w, uint64(1), w.seat().Term)
		require.True(w, w.listed("o"))
		require.Equal(w, []elector.State{elector.StateObserver}, o.history())
	})
}

// The lock of the fdb-kubernetes-operator cannot be given back: others wait ten
// minutes for it (fdb-kubernetes-operator#2315).
func TestVoluntaryRelease(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.process("a")
		lead, err := a.Campaign(w.Context())
		require.NoError(w, err)
		b := w.begin("b")
		b.enters(elector.StateFollower)
		time.Sleep(heartbeat)
		require.NoError(w, lead.Resign(w.Context()))
		released := time.Now()
		b.leads()
		require.Less(w, time.Since(released), soon)
		require.True(w, w.listed("a"), "it stays a candidate")
	})
}

// client-go calls OnStoppedLeading of a process that never led, and the recipe
// of others forgets it: here each is called for the other.
func TestStoppedLeadingHasItsCounterpart(t *testing.T) {
	inWorld(t, func(w *world) {
		var elected, demoted atomic.Int64
		count := callbacks(func(c *elector.Callbacks) {
			c.OnElected = func(context.Context, elector.Transition) { elected.Add(1) }
			c.OnDemoted = func(context.Context, elector.Transition) { demoted.Add(1) }
		})
		w.begin("other").leads()
		follower := w.begin("follower", count)
		follower.enters(elector.StateFollower)
		follower.stop()
		require.Zero(w, elected.Load()+demoted.Load())

		high := w.begin("high", priority(1), count)
		high.leads()
		high.Abandon() // not even then
		synctest.Wait()
		require.EqualValues(w, 1, elected.Load())
		require.EqualValues(w, 1, demoted.Load())
	})
}

// A process of a higher priority that crashes right after it has asked for the
// leadership, every few seconds, costs the leader nothing: a challenge counts only
// while its author is alive.
func TestCrashingChallengersCostNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		low := w.begin("low")
		low.leads()
		for i := range 20 {
			high := w.process(fmt.Sprintf("high-%d", i), priority(1))
			require.NoError(w, high.Start(w.Context()))
			for asked := false; !asked; time.Sleep(time.Millisecond) {
				intent, err := kv.ReadTransact(w.Context(), w.db, w.election.ReadRequest)
				require.NoError(w, err)
				asked = intent.ID == high.NodeID()
			}
			high.Abandon()
			for range 100 {
				time.Sleep(lease / 50)
				require.True(w, low.believes())
			}
		}
		require.Equal(w, uint64(1), low.Term())
	})
}
