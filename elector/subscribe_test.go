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

// An observer sees who leads, and then every change; a vacancy is one.
func TestObserve(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.begin("a")
		a.leads()
		b := w.begin("b")
		b.enters(elector.StateFollower)
		o := w.process("o", silent)
		leaders := o.Subscribe(w.Context())
		now := within(w, leaders, "the leader")
		require.Equal(w, "a", now.ID)
		require.Equal(w, uint64(1), now.Term)
		silence(w, leaders, 5*lease)
		require.Equal(w, elector.StateObserver, o.State())
		require.Equal(w, "a", o.LeaderID())
		require.Len(w, w.candidates(), 2, "it has no record")

		a.stop()
		changed := time.Now()
		next := within(w, leaders, "the next leader")
		if next.Vacant() { // it looked before the next one claimed
			next = within(w, leaders, "the next leader")
		}
		require.Less(w, time.Since(changed), step+soon)
		require.Equal(w, "b", next.ID)
		require.Equal(w, uint64(2), next.Term)
		require.True(w, next.Accepted)
	})
}

// Each observer begins with what is, also in the midst of a session.
func TestObserveLater(t *testing.T) {
	inWorld(t, func(w *world) {
		w.initialize()
		a := w.process("a")
		first := a.Subscribe(w.Context())
		require.Empty(w, within(w, first, "the vacant seat").ID)
		require.NoError(w, a.Start(w.Context()))
		require.Equal(w, "a", within(w, first, "the leader").ID)
		require.Equal(w, "a", within(w, a.Subscribe(w.Context()), "the leader").ID)
		a.stop()
		for _, leaders := range []<-chan elector.LeaderInfo{first, a.Subscribe(w.Context())} {
			within(w, leaders, "a change")
		}
	})
}

// Tenures that passed between two looks are filled in from the history, once
// each and in order, whatever the reader does meanwhile.
func TestObserveMissesNothing(t *testing.T) {
	inWorld(t, func(w *world) {
		w.initialize()
		o := w.process("o", silent)
		leaders := o.Subscribe(w.Context())
		require.Zero(w, within(w, leaders, "the vacant seat").Term)
		c := w.process("c")
		lead, err := c.Campaign(w.Context())
		require.NoError(w, err)
		require.NoError(w, lead.Resign(w.Context()))
		time.Sleep(2 * heartbeat)
		w.before(of("o", fail(errDisk)))
		w.loseWatches(true)
		for range 6 {
			lead, err := c.Campaign(w.Context())
			require.NoError(w, err)
			require.NoError(w, lead.Resign(w.Context()))
		}
		time.Sleep(lease)
		w.before(nil)
		w.loseWatches(false)
		time.Sleep(2 * heartbeat)

		var terms []uint64
		for last := (elector.LeaderInfo{}); !last.Vacant() || last.Term < 7; {
			last = within(w, leaders, "a tenure")
			if !last.Vacant() {
				require.Equal(w, "c", last.ID)
				terms = append(terms, last.Term)
			}
		}
		require.Equal(w, []uint64{1, 2, 3, 4, 5, 6, 7}, terms)
		silence(w, leaders, lease)
	})
}

// The channel is closed when the context ends, when the elector stops, and at
// once where the context has ended before.
func TestObserveEnds(t *testing.T) {
	inWorld(t, func(w *world) {
		drained := func(leaders <-chan elector.LeaderInfo) {
			for range leaders {
				continue // until it is closed
			}
		}
		a := w.begin("a")
		a.leads()
		ctx, cancel := context.WithCancel(w.Context())
		leaders := a.Subscribe(ctx)
		cancel()
		drained(leaders)
		drained(a.Subscribe(ctx))
		leaders = a.Subscribe(w.Context())
		a.stop()
		drained(leaders)

		leaders = a.Subscribe(w.Context())
		require.Equal(w, elector.StateObserver, a.enters(elector.StateObserver).To)
		require.NoError(w, a.Stop(w.Context()))
		drained(leaders)
	})
}

// One that only observes becomes a candidate in the same session: its observers
// keep their place, and its end is no longer theirs.
func TestObserveThenStart(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.process("a")
		ctx, cancel := context.WithCancel(w.Context())
		leaders := p.Subscribe(ctx)
		p.enters(elector.StateObserver)
		time.Sleep(lease)
		require.NoError(w, p.Start(w.Context()))
		p.leads()
		for within(w, leaders, "a leader").ID == "" {
		}
		cancel()
		synctest.Wait()
		time.Sleep(lease)
		require.True(w, p.believes())
	})
}

// Observers that come and go leave nothing behind, and a Start beside them finds
// either their session or none, never one that is about to end.
func TestObserversComeAndGo(t *testing.T) {
	inWorld(t, func(w *world) {
		w.initialize()
		for round := range 50 {
			p := w.process("a", silent)
			ctx, cancel := context.WithCancel(w.Context())
			p.Subscribe(ctx)
			if round%2 == 0 {
				synctest.Wait()
			}
			go cancel()
			second, release := context.WithCancel(w.Context())
			leaders := p.Subscribe(second)
			within(w, leaders, "the state of things")
			require.NoError(w, p.Start(w.Context()))
			w.until("held", func(l election.LeaderRecord) bool { return l.ID == "a" })
			release()
			require.NoError(w, p.Stop(w.Context()))
		}
	})
}

// An observer in the process of a leader sees its own tenure begin and end.
func TestObserveOneself(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.process("a")
		lead, err := p.Campaign(w.Context())
		require.NoError(w, err)
		leaders := p.Subscribe(w.Context())
		require.Equal(w, "a", within(w, leaders, "the leader").ID)
		require.NoError(w, lead.Resign(w.Context()))
		require.Empty(w, within(w, leaders, "the vacancy").ID)
	})
}

// A seat that was handed over is told twice: when it is, and when it is taken.
func TestObserveAHandOver(t *testing.T) {
	inWorld(t, func(w *world) {
		a := w.begin("a")
		a.leads()
		b := w.begin("b")
		b.enters(elector.StateFollower)
		o := w.process("o", silent)
		leaders := o.Subscribe(w.Context())
		within(w, leaders, "the leader")
		time.Sleep(heartbeat)
		w.transact(func(tr kv.Transaction) error { return w.election.RequestTransfer(tr, 1, "b", nonce(1)) })
		b.leads()
		next := within(w, leaders, "the hand-over")
		if !next.Accepted {
			require.Equal(w, "b", next.ID)
			next = within(w, leaders, "its acceptance")
		}
		require.Equal(w, "b", next.ID)
		require.True(w, next.Accepted)
		require.Equal(w, uint64(2), next.Term)
		require.Equal(w, "b", o.LeaderID())
	})
}

// The session of observers ends with the last of them, and reads nothing more.
func TestObserveEndsWithTheLastObserver(t *testing.T) {
	inWorld(t, func(w *world) {
		w.begin("a").leads()
		o := w.process("o")
		first, cancelFirst := context.WithCancel(w.Context())
		second, cancelSecond := context.WithCancel(w.Context())
		o.Subscribe(first)
		within(w, o.Subscribe(second), "the leader")
		cancelFirst()
		time.Sleep(lease)
		require.Equal(w, elector.StateObserver, o.State())
		cancelSecond()
		o.enters(elector.StateStopped)
		var reads counter
		w.before(reads.hook(memkv.CallRead))
		time.Sleep(5 * lease)
		require.Zero(w, reads.of("o"))
		require.Positive(w, reads.of("a"))
	})
}
