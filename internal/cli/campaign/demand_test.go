package campaign_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/cli/campaign"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// slowly stops after d, or when it must.
func slowly(d time.Duration) setting {
	return work(func(t *campaign.Tenure) error {
		<-t.Stopping()
		select {
		case <-time.After(d):
		case <-t.Overdue():
		}
		return nil
	})
}

// The seat goes to a challenger only after the work has returned, and the
// lease is kept up meanwhile.
func TestChallengeIsObeyed(t *testing.T) {
	inWorld(t, func(w *world) {
		low := w.campaign("low", slowly(grace-time.Second)).leads()
		time.Sleep(heartbeat / 2)
		challenged := time.Now()
		high := w.campaign("high", priority(1)).leads()
		require.InDelta(t, grace-time.Second, time.Since(challenged), float64(50*time.Millisecond))
		require.False(t, closed(low.Overdue()) && low.Leads())
		leader := w.leader()
		require.Equal(t, election.OriginPreemption, leader.Origin)
		require.Equal(t, uint64(2), high.Token().Term)
		require.GreaterOrEqual(t, leader.Ballot, uint64(5), "renewed while it drained")
	})
}

// Work that does not stop within the grace is ended by force, and the seat is
// vacated.
func TestPastTheGrace(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.campaign("low", slowly(time.Hour))
		low := p.leads()
		time.Sleep(heartbeat / 2)
		challenged := time.Now()
		high := w.campaign("high", priority(1))
		<-low.Overdue()
		require.InDelta(t, grace, time.Since(challenged), float64(50*time.Millisecond))
		high.leads()
		require.Less(t, time.Since(challenged), grace+100*time.Millisecond)
		require.Equal(t, election.OriginVacancy, w.leader().Origin)
		time.Sleep(lease)
		require.Equal(t, uint64(2), w.leader().Term)
	})
}

// A challenge whose author is gone is no reason to stop work.
func TestVoidChallengeIsIgnored(t *testing.T) {
	inWorld(t, func(w *world) {
		tenure := w.campaign("low").leads()
		ghost := election.Registration{
			Identity: election.Identity{ID: "ghost", Incarnation: nonce(1)}, Priority: 5,
		}
		w.transact(func(tr kv.Transaction) error {
			return w.election.RegisterCandidate(tr, ghost, time.Now())
		})
		// The challenge and the departure are one transaction, so that the leader
		// never sees a challenger that is there.
		w.transact(func(tr kv.Transaction) error {
			seen := election.Observation{}.Next(w.leader(), time.Now())
			_, err := w.election.TryClaimLeadership(tr, ghost.Identity, time.Now(), election.Observed(seen, time.Now()))
			if err != nil {
				return err
			}
			tr.Clear(append(w.election.Subspace().Sub("candidates").Bytes(), "\x02ghost\x00"...))
			return nil
		})
		time.Sleep(3 * lease)
		require.False(t, closed(tenure.Stopping()))
		require.Equal(t, uint64(1), w.leader().Term)
	})
}

func TestResignOnRequest(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.campaign("a", slowly(time.Second))
		tenure := a.leads()
		b := w.campaign("b")
		time.Sleep(heartbeat / 2)
		w.transact(func(tr kv.Transaction) error { return w.election.RequestResign(tr, 1, nonce(1)) })
		require.Equal(t, uint64(2), b.leads().Token().Term)
		require.False(t, tenure.Leads())
		require.Contains(t, a.notes(), "stopping: asked to resign")
	})
}

// A leader that resigned on request stays out for one lease, and is back
// afterwards where nobody else came.
func TestResignedStaysOutForAWhile(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.campaign("a")
		a.leads()
		time.Sleep(heartbeat / 2)
		w.transact(func(tr kv.Transaction) error { return w.election.RequestResign(tr, 1, nonce(1)) })
		resigned := time.Now()
		require.Equal(t, uint64(2), a.leads().Token().Term)
		require.InDelta(t, lease, time.Since(resigned), float64(50*time.Millisecond))
	})
}

func TestTransferOnRequest(t *testing.T) {
	inWorld(t, func(w *world) {
		w.campaign("a", priority(9)).leads()
		b, c := w.campaign("b"), w.campaign("c")
		time.Sleep(heartbeat / 2)
		w.transact(func(tr kv.Transaction) error { return w.election.RequestTransfer(tr, 1, "c", nonce(1)) })
		require.Equal(t, uint64(2), c.leads().Token().Term)
		require.Equal(t, nonce(1), w.leader().Nonce)
		require.Equal(t, election.OriginTransfer, w.leader().Origin)
		require.Empty(t, b.tenures)
		time.Sleep(lease - heartbeat)
		require.Equal(t, uint64(2), w.leader().Term, "a higher priority must not undo the request at once")
	})
}

// A successor that dies while the work stops does not get the seat.
func TestTransferToTheDead(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.campaign("a", slowly(2*time.Second))
		a.leads()
		b := w.campaign("b")
		time.Sleep(heartbeat / 2)
		w.transact(func(tr kv.Transaction) error { return w.election.RequestTransfer(tr, 1, "b", nonce(1)) })
		time.Sleep(time.Second)
		b.leave()
		require.NoError(t, b.ended())
		require.Equal(t, uint64(2), a.leads().Token().Term)
		require.Equal(t, election.OriginReclaim, w.leader().Origin)
	})
}

func TestDisabledElection(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.campaign("a", slowly(time.Second))
		a.leads()
		time.Sleep(heartbeat / 2)
		w.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
		vacant := w.until("vacant", election.Leader.Vacant)
		require.Equal(t, uint64(1), vacant.Term)
		time.Sleep(5 * lease)
		require.Equal(t, vacant, w.leader())
		require.Contains(t, a.notes(), "stopping: the election is disabled")
		candidates, err := kv.ReadTransact(t.Context(), w.db, w.election.ListCandidates)
		require.NoError(t, err)
		require.Less(t, time.Since(candidates[0].LastHeartbeat), w.config.CandidateTimeout/2, "heartbeats go on")

		w.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = true })
		require.Equal(t, uint64(2), a.leads().Token().Term)
	})
}

// A config that changes applies from the next renewal.
func TestConfigChanges(t *testing.T) {
	inWorld(t, func(w *world) {
		w.campaign("a").leads()
		w.reconfigure(func(c *fdbelection.Config) {
			c.LeaseDuration, c.HeartbeatInterval = 2*lease, lease
		})
		time.Sleep(heartbeat + time.Millisecond)
		require.Equal(t, 2*lease, w.leader().LeaseDuration)
		ballot := w.leader().Ballot
		time.Sleep(lease - 10*time.Millisecond)
		require.Equal(t, ballot, w.leader().Ballot)
		time.Sleep(20 * time.Millisecond)
		require.Equal(t, ballot+1, w.leader().Ballot)
	})
}

// Who stays out after a resignation still takes a seat that is handed to it.
func TestTransferToOneThatStaysOut(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.campaign("a")
		a.leads()
		b := w.campaign("b")
		time.Sleep(heartbeat / 2)
		w.transact(func(tr kv.Transaction) error { return w.election.RequestResign(tr, 1, nonce(1)) })
		require.Equal(t, uint64(2), b.leads().Token().Term)
		w.transact(func(tr kv.Transaction) error { return w.election.RequestTransfer(tr, 2, "a", nonce(2)) })
		asked := time.Now()
		require.Equal(t, uint64(3), a.leads().Token().Term)
		require.Less(t, time.Since(asked), 2*step+50*time.Millisecond, "watches are armed at a limited rate")
		require.True(t, w.leader().Accepted)
	})
}

// A request that comes while a renewal is under way, which has not seen it, does
// not wait for the next one.
func TestRequestDuringRenewal(t *testing.T) {
	inWorld(t, func(w *world) {
		w.campaign("a").leads()
		b := w.campaign("b")
		time.Sleep(heartbeat / 2)
		renewing, release := make(chan struct{}), make(chan struct{})
		once := sync.OnceFunc(func() { close(renewing); <-release })
		w.before(on(memkv.CallCommit, "a", func(context.Context, *memkv.Call) error { once(); return nil }))
		<-renewing
		w.transact(func(tr kv.Transaction) error { return w.election.RequestResign(tr, 1, nonce(1)) })
		time.Sleep(time.Millisecond) // the watch has told
		close(release)
		released := time.Now()
		b.leads()
		require.Less(t, time.Since(released), 50*time.Millisecond)
	})
}
