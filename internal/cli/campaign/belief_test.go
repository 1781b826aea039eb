package campaign_test

import (
	"context"
	"errors"
	"sync/atomic"
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
	for name, fault := range map[string]hook{
		"applied, and not acknowledged": func(context.Context, *memkv.Call) error {
			return kv.Error{Code: kv.CodeTransactionTimedOut}
		},
		"applied, and not answered yet": func(ctx context.Context, _ *memkv.Call) error {
			<-ctx.Done()
			return ctx.Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				tenure := w.campaign("a", work(func(t *campaign.Tenure) error { <-t.Over(); return nil })).leads()
				w.reconfigure(func(c *fdbelection.Config) {
					c.LeaseDuration, c.HeartbeatInterval = lease/10, lease/30
				})
				w.after(on(memkv.CallCommit, "a", fault))
				<-tenure.Over()
				shortened := w.start.Add(heartbeat) // the first renewal under the new config
				require.Equal(t, endAt/10, time.Since(shortened))
				w.after(nil)
			})
		})
	}
}

// Belief counts from the start of the attempt, however late its answer comes.
func TestBeliefCountsFromTheStart(t *testing.T) {
	for name, test := range map[string]struct {
		delay  time.Duration // of the answer to the claim
		ballot uint64        // with which belief begins
	}{
		"in time for work":    {stopAt - time.Second, 1},
		"too late for work":   {stopAt + time.Millisecond, 2},
		"too late for belief": {endAt + time.Millisecond, 2},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				commits := 0
				w.after(on(memkv.CallCommit, "a", func(ctx context.Context, _ *memkv.Call) error {
					switch commits++; commits {
					case 2: // the claim
						time.Sleep(test.delay)
						return nil
					case 1, int(test.ballot) + 1:
						return nil
					}
					<-ctx.Done()
					return ctx.Err()
				}))
				tenure := w.campaign("a").leads()
				require.Equal(t, test.ballot, tenure.Ballot())
				require.Equal(t, uint64(1), tenure.Token().Term)
				wrote := w.start
				if test.ballot == 2 {
					wrote = wrote.Add(test.delay)
				}
				<-tenure.Stopping()
				require.Equal(t, stopAt, time.Since(wrote))
				w.after(nil)
			})
		})
	}
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

// The same, where no watch tells: the next renewal must not claim.
func TestLostSeatWithoutWatches(t *testing.T) {
	inWorld(t, func(w *world) {
		var watches atomic.Int64
		w.before(failWatches(&watches))
		p := w.campaign("a", work(func(t *campaign.Tenure) error {
			<-t.Overdue()
			time.Sleep(time.Millisecond) // for the test to look
			return nil
		}))
		first := p.leads()
		time.Sleep(heartbeat / 2)
		w.transact(func(tr kv.Transaction) error {
			return w.election.ResignLeadership(tr, first.Token(), time.Now())
		})
		<-first.Overdue()
		require.True(t, w.leader().Vacant())
		require.Equal(t, uint64(2), p.leads().Token().Term)
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
