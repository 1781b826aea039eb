package campaign_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/cli/campaign"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// The instants of a lease of six seconds, from the start of the attempt that
// wrote it.
const (
	stopAt = 4200 * time.Millisecond // belief less a fifth of the lease
	killAt = 4800 * time.Millisecond
	endAt  = 5400 * time.Millisecond // the lease less its margin
)

// Whatever the store does with commits, belief ends where it must.
func TestBeliefEndsWhileCommitsHang(t *testing.T) {
	for name, fault := range map[string]func(release chan struct{}) hook{
		"until their time limit": func(chan struct{}) hook {
			return on(memkv.CallCommit, "a", func(ctx context.Context, _ *memkv.Call) error {
				<-ctx.Done()
				return ctx.Err()
			})
		},
		"for ever, whatever their context says": func(release chan struct{}) hook {
			return on(memkv.CallCommit, "a", func(context.Context, *memkv.Call) error { <-release; return nil })
		},
		"and reads too": func(chan struct{}) hook {
			return func(ctx context.Context, c *memkv.Call) error {
				if c.Client != "a" {
					return nil
				}
				<-ctx.Done()
				return ctx.Err()
			}
		},
		"by failing at once": func(chan struct{}) hook {
			return on(memkv.CallCommit, "a", func(context.Context, *memkv.Call) error { return kv.Error{Code: kv.CodeIOError} })
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				release := make(chan struct{})
				p := w.campaign("a", work(func(t *campaign.Tenure) error { <-t.Over(); return nil }))
				tenure := p.leads()
				time.Sleep(heartbeat + heartbeat/2) // one renewal
				renewed := w.start.Add(heartbeat)
				w.before(fault(release))

				<-tenure.Stopping()
				require.Equal(t, stopAt, time.Since(renewed))
				require.True(t, tenure.Leads())
				<-tenure.Overdue()
				require.Equal(t, killAt, time.Since(renewed))
				<-tenure.Over()
				require.Equal(t, endAt, time.Since(renewed))
				require.False(t, tenure.Leads())

				w.before(nil)
				close(release)
				again := p.leads()
				require.Equal(t, tenure.Token().Term+1, again.Token().Term, "a claim after belief ended is a new tenure")
			})
		})
	}
}

// An attempt whose fate is not known counts as if it had been committed: where
// it writes a shorter lease, belief shrinks before its commit is issued.
func TestUnknownAttemptShortensBelief(t *testing.T) {
	inWorld(t, func(w *world) {
		tenure := w.campaign("a", work(func(t *campaign.Tenure) error { <-t.Over(); return nil })).leads()
		w.reconfigure(func(c *fdbelection.Config) {
			c.LeaseDuration, c.HeartbeatInterval = lease/10, lease/30
		})
		w.after(on(memkv.CallCommit, "a", func(context.Context, *memkv.Call) error { // applied, and not acknowledged
			return kv.Error{Code: kv.CodeTransactionTimedOut}
		}))
		<-tenure.Over()
		shortened := w.start.Add(heartbeat) // the first renewal under the new config
		require.Equal(t, endAt/10, time.Since(shortened))
	})
}

// An acknowledged renewal outdates what is not known of earlier ones.
func TestAcknowledgedRenewalSettlesEarlierOnes(t *testing.T) {
	inWorld(t, func(w *world) {
		tenure := w.campaign("a").leads()
		failed := 0
		w.after(on(memkv.CallCommit, "a", func(context.Context, *memkv.Call) error {
			if failed++; failed > 1 {
				return nil
			}
			return kv.Error{Code: kv.CodeTransactionTimedOut}
		}))
		time.Sleep(3 * lease)
		require.True(t, tenure.Leads())
		require.False(t, closed(tenure.Stopping()))
	})
}

// Work that does not stop when it must holds up the next tenure, and nothing
// else does.
func TestNothingIsClaimedBeforeWorkReturned(t *testing.T) {
	inWorld(t, func(w *world) {
		hold := make(chan struct{})
		p := w.campaign("a", work(func(t *campaign.Tenure) error {
			if t.Token().Term == 1 {
				<-hold
				return nil
			}
			<-t.Stopping()
			return nil
		}))
		first := p.leads()
		w.before(on(memkv.CallCommit, "a", func(context.Context, *memkv.Call) error { return kv.Error{Code: kv.CodeIOError} }))
		<-first.Over()
		w.before(nil)
		time.Sleep(10 * lease)
		require.Equal(t, uint64(1), w.leader().Term)
		require.Empty(t, p.tenures)

		close(hold)
		synctest.Wait()
		second := p.leads()
		require.Equal(t, uint64(2), second.Token().Term)
		require.Equal(t, election.OriginReclaim, w.leader().Origin)
	})
}

// A seat that somebody vacated by force is claimed again only in a new tenure,
// after the work of the old one has ended.
func TestLostSeat(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.campaign("a", work(func(t *campaign.Tenure) error { <-t.Overdue(); return nil }))
		first := p.leads()
		time.Sleep(heartbeat / 2)
		w.transact(func(tr kv.Transaction) error {
			return w.election.ResignLeadership(tr, first.Token(), time.Now())
		})
		lost := time.Now()
		<-first.Stopping()
		require.Less(t, time.Since(lost), 20*time.Millisecond, "its watch tells")
		require.False(t, closed(first.Overdue()))
		<-first.Overdue()
		require.Equal(t, lease/10, time.Since(lost).Round(time.Millisecond*10))
		second := p.leads()
		require.Equal(t, uint64(2), second.Token().Term)
		require.Contains(t, p.notes(), "stopping: the seat is lost")
	})
}

// Preemption without a grace: the old leader learns of it by its watch.
func TestPreemptedAtOnce(t *testing.T) {
	inWorld(t, func(w *world) {
		w.config.PreemptionGrace = 0
		low := w.campaign("low").leads()
		time.Sleep(heartbeat / 2)
		w.campaign("high", priority(1)).leads()
		taken := time.Now()
		<-low.Stopping()
		require.Less(t, time.Since(taken), 20*time.Millisecond)
	})
}

var errWork = errors.New("work failed")

// Work that ends of itself ends the campaign, in order.
func TestWorkEndsOfItself(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.campaign("a", work(func(*campaign.Tenure) error { return errWork }))
		require.ErrorIs(t, p.ended(), errWork)
		require.True(t, w.leader().Vacant())
		candidates, err := kv.ReadTransact(t.Context(), w.db, w.election.ListCandidates)
		require.NoError(t, err)
		require.Empty(t, candidates)
	})
}
