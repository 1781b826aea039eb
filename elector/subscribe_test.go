package elector_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// A subscriber gets the present leader and then every change, including vacancies.
func TestSubscribe(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		a.leads()
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		o := tc.process("o", withoutTransitions)
		leaders := o.Subscribe(tc.Context())
		now := within(tc, leaders, "the leader")
		require.Equal(tc, "a", now.ID)
		require.Equal(tc, uint64(1), now.Term)
		noneWithin(tc, leaders, 5*lease)
		require.Equal(tc, elector.StateObserver, o.State())
		require.Equal(tc, "a", o.LeaderID())
		require.Len(tc, tc.candidates(), 2, "a subscriber has no record")

		a.stop()
		changed := time.Now()
		next := within(tc, leaders, "the next leader")
		if next.Vacant() { // it was read before the next claim
			next = within(tc, leaders, "the next leader")
		}
		require.Less(tc, time.Since(changed), step+soon)
		require.Equal(tc, "b", next.ID)
		require.Equal(tc, uint64(2), next.Term)
		require.True(tc, next.Accepted)
	})
}

// Each subscriber first gets the present state, even if the session began earlier.
func TestSubscribeLater(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		tc.initialize()
		a := tc.process("a")
		first := a.Subscribe(tc.Context())
		require.Empty(tc, within(tc, first, "the vacancy").ID)
		require.NoError(tc, a.Start(tc.Context()))
		require.Equal(tc, "a", within(tc, first, "the leader").ID)
		require.Equal(tc, "a", within(tc, a.Subscribe(tc.Context()), "the leader").ID)
		a.stop()
		for _, leaders := range []<-chan elector.LeaderInfo{first, a.Subscribe(tc.Context())} {
			within(tc, leaders, "a change")
		}
	})
}

// Tenures that passed between two reads of the leader record are filled in from the history,
// each once and in order.
func TestSubscribeMissesNothing(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		tc.initialize()
		o := tc.process("o", withoutTransitions)
		leaders := o.Subscribe(tc.Context())
		require.Zero(tc, within(tc, leaders, "the vacancy").Term)
		c := tc.process("c")
		lead, err := c.Campaign(tc.Context())
		require.NoError(tc, err)
		require.NoError(tc, lead.Resign(tc.Context()))
		time.Sleep(2 * heartbeat)
		tc.before(of("o", fail(errDisk)))
		tc.loseWatches(true)
		for range 6 {
			lead, err := c.Campaign(tc.Context())
			require.NoError(tc, err)
			require.NoError(tc, lead.Resign(tc.Context()))
		}
		time.Sleep(lease)
		tc.before(nil)
		tc.loseWatches(false)
		time.Sleep(2 * heartbeat)

		var terms []uint64
		for last := (elector.LeaderInfo{}); !last.Vacant() || last.Term < 7; {
			last = within(tc, leaders, "a tenure")
			if !last.Vacant() {
				require.Equal(tc, "c", last.ID)
				terms = append(terms, last.Term)
			}
		}
		require.Equal(tc, []uint64{1, 2, 3, 4, 5, 6, 7}, terms)
		noneWithin(tc, leaders, lease)
	})
}

// The channel is closed when the context ends, when the elector stops, and at once if the
// context has already ended.
func TestSubscribeEnds(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		readAll := func(leaders <-chan elector.LeaderInfo) {
			for range leaders {
				continue // until it is closed
			}
		}
		a := tc.begin("a")
		a.leads()
		ctx, cancel := context.WithCancel(tc.Context())
		leaders := a.Subscribe(ctx)
		cancel()
		readAll(leaders)
		readAll(a.Subscribe(ctx))
		leaders = a.Subscribe(tc.Context())
		a.stop()
		readAll(leaders)

		leaders = a.Subscribe(tc.Context())
		require.Equal(tc, elector.StateObserver, a.enters(elector.StateObserver).To)
		require.NoError(tc, a.Stop(tc.Context()))
		readAll(leaders)
	})
}

// An elector that only subscribes becomes a candidate in the same session. Its subscribers
// continue, and the end of the last one does not end the session any more.
func TestSubscribeThenStart(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		ctx, cancel := context.WithCancel(tc.Context())
		leaders := p.Subscribe(ctx)
		p.enters(elector.StateObserver)
		time.Sleep(lease)
		require.NoError(tc, p.Start(tc.Context()))
		p.leads()
		for within(tc, leaders, "a leader").ID == "" {
		}
		cancel()
		synctest.Wait()
		time.Sleep(lease)
		require.True(tc, p.Leading())
	})
}

// Subscribers that come and go leave nothing behind. A concurrent Start never uses a session
// that is about to end.
func TestSubscribersComeAndGo(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		tc.initialize()
		for round := range 50 {
			p := tc.process("a", withoutTransitions)
			ctx, cancel := context.WithCancel(tc.Context())
			p.Subscribe(ctx)
			if round%2 == 0 {
				synctest.Wait()
			}
			go cancel()
			second, release := context.WithCancel(tc.Context())
			leaders := p.Subscribe(second)
			within(tc, leaders, "the present state")
			require.NoError(tc, p.Start(tc.Context()))
			tc.until("held", func(l election.LeaderRecord) bool { return l.ID == "a" })
			release()
			require.NoError(tc, p.Stop(tc.Context()))
		}
	})
}

// A subscriber in the process of the leader gets the begin and the end of its tenure.
func TestSubscribeToOneself(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		lead, err := p.Campaign(tc.Context())
		require.NoError(tc, err)
		leaders := p.Subscribe(tc.Context())
		require.Equal(tc, "a", within(tc, leaders, "the leader").ID)
		require.NoError(tc, lead.Resign(tc.Context()))
		require.Empty(tc, within(tc, leaders, "the vacancy").ID)
	})
}

// A hand-over is sent twice: when it happens and when the successor accepts.
func TestSubscribeDuringAHandOver(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		a := tc.begin("a")
		a.leads()
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		o := tc.process("o", withoutTransitions)
		leaders := o.Subscribe(tc.Context())
		within(tc, leaders, "the leader")
		time.Sleep(heartbeat)
		tc.transact(func(tr kv.Transaction) error { return tc.election.RequestTransfer(tr, 1, "b", nonce(1)) })
		b.leads()
		next := within(tc, leaders, "the hand-over")
		if !next.Accepted {
			require.Equal(tc, "b", next.ID)
			next = within(tc, leaders, "its acceptance")
		}
		require.Equal(tc, "b", next.ID)
		require.True(tc, next.Accepted)
		require.Equal(tc, uint64(2), next.Term)
		require.Equal(tc, "b", o.LeaderID())
	})
}

// The session of subscribers ends with the last of them and reads nothing after that.
func TestSessionEndsWithTheLastSubscriber(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		tc.begin("a").leads()
		o := tc.process("o")
		first, cancelFirst := context.WithCancel(tc.Context())
		second, cancelSecond := context.WithCancel(tc.Context())
		o.Subscribe(first)
		within(tc, o.Subscribe(second), "the leader")
		cancelFirst()
		time.Sleep(lease)
		require.Equal(tc, elector.StateObserver, o.State())
		cancelSecond()
		o.enters(elector.StateStopped)
		var reads counter
		tc.before(reads.hook(memkv.CallRead))
		time.Sleep(5 * lease)
		require.Zero(tc, reads.of("o"))
		require.Positive(tc, reads.of("a"))
	})
}
