package campaign_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// detach takes the nth commit of a client out of its call and leaves it
// unsettled.
func detach(client string, nth int, late chan<- *memkv.LateCommit) hook {
	n := 0
	return on(memkv.CallCommit, client, func(_ context.Context, c *memkv.Call) error {
		if n++; n != nth {
			return nil
		}
		late <- c.Detach()
		return kv.Error{Code: kv.CodeTransactionTimedOut}
	})
}

// A claim that may still arrive is settled before anything is concluded: after
// that it can never arrive.
func TestUnsettledClaimIsSettled(t *testing.T) {
	inWorld(t, func(w *world) {
		late := make(chan *memkv.LateCommit, 1)
		w.before(detach("a", 2, late)) // the first registers
		p := w.campaign("a")
		tenure := p.leads()
		require.Equal(t, uint64(1), tenure.Token().Term)
		require.Equal(t, uint64(1), tenure.Ballot())

		log := w.db.CommitLog()
		settled := log[len(log)-2] // then the claim
		require.Empty(t, settled.Mutations)
		require.NotEmpty(t, settled.WriteConflicts)
		_, err := (<-late).Land()
		require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(err))
	})
}

// A claim that arrives before it was settled is found, and renewed before
// anybody believes in it.
func TestLateClaimIsFound(t *testing.T) {
	inWorld(t, func(w *world) {
		late := make(chan *memkv.LateCommit, 1)
		w.before(detach("a", 2, late))
		landed := make(chan error, 1)
		go func() {
			_, err := (<-late).Land()
			landed <- err
		}()
		p := w.campaign("a")
		tenure := p.leads()
		require.NoError(t, <-landed)
		require.Equal(t, uint64(1), tenure.Token().Term)
		require.Equal(t, uint64(2), tenure.Ballot(), "belief begins with a renewal")
	})
}

// An unsettled renewal that arrives after the tenure was declared over changes
// nothing: the next tenure has a term of its own.
func TestRenewalArrivesAfterTheEnd(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.campaign("a")
		first := p.leads()
		late := make(chan *memkv.LateCommit, 1000)
		w.before(on(memkv.CallCommit, "a", func(_ context.Context, c *memkv.Call) error {
			late <- c.Detach()
			return kv.Error{Code: kv.CodeTransactionTimedOut}
		}))
		<-first.Over()
		_, err := (<-late).Land()
		require.NoError(t, err)
		require.Equal(t, uint64(2), w.leader().Ballot)
		w.before(nil)
		second := p.leads()
		require.Equal(t, uint64(2), second.Token().Term)
	})
}

// What has left stays left.
func TestNothingArrivesAfterLeaving(t *testing.T) {
	inWorld(t, func(w *world) {
		late := make(chan *memkv.LateCommit, 1)
		w.before(detach("a", 2, late))
		p := w.campaign("a")
		l := <-late
		p.leave()
		require.NoError(t, p.ended())
		_, err := l.Land()
		require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(err))
		require.True(t, w.leader().Vacant())
	})
}

// Leaving is tried until it has committed, within its limit.
func TestLeavingIsTriedAgain(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.campaign("a")
		p.leads()
		var tries atomic.Int64
		w.after(on(memkv.CallCommit, "a", func(context.Context, *memkv.Call) error {
			if tries.Add(1) < 5 {
				return kv.Error{Code: kv.CodeTransactionTimedOut}
			}
			return nil
		}))
		p.leave()
		require.NoError(t, p.ended())
		require.Equal(t, int64(5), tries.Load())
		require.True(t, w.leader().Vacant())
	})
}

// A hand-over whose acknowledgement is lost is recognised.
func TestHandOverIsRecognised(t *testing.T) {
	inWorld(t, func(w *world) {
		low := w.campaign("low")
		tenure := low.leads()
		var lost atomic.Bool
		w.after(on(memkv.CallCommit, "low", func(context.Context, *memkv.Call) error {
			if !closed(tenure.Over()) || lost.Swap(true) {
				return nil
			}
			return kv.Error{Code: kv.CodeCommitUnknownResult}
		}))
		high := w.campaign("high", priority(1))
		require.Equal(t, uint64(2), high.leads().Token().Term)
		time.Sleep(2 * lease)
		require.True(t, lost.Load())
		require.Equal(t, uint64(2), w.leader().Term)
		history, err := kv.ReadTransact(t.Context(), w.db, func(tr kv.ReadTransaction) ([]election.Event, error) {
			return w.election.History(tr, 0)
		})
		require.NoError(t, err)
		require.Len(t, history, 2)
	})
}
