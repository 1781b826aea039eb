package elector_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/longtest"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// A process that is started under the id of a live one stops with an error that names the
// existing candidate. It changes nothing. The history names both.
func TestDuplicateID(t *testing.T) {
	for name, leads := range map[string]bool{"the existing candidate leads": true, "the existing candidate follows": false} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				if !leads {
					tc.begin("b").leads()
				}
				older := tc.begin("a")
				if leads {
					older.leads()
				} else {
					older.enters(elector.StateFollower)
				}
				time.Sleep(heartbeat / 2)
				term, existing := tc.leader().Term, tc.candidate("a").Identity
				newer := tc.process("a")
				newer.run(tc.Context(), untilStopped)
				err := within(tc, newer.result, "the end of Run")
				require.ErrorIs(tc, err, fdbelection.ErrDuplicateID)
				require.ErrorContains(tc, err, existing.String())
				require.Equal(tc, elector.StateStopped, newer.State())
				time.Sleep(2 * lease)
				require.Equal(tc, leads, older.Leading())
				require.Equal(tc, term, tc.leader().Term)
				require.Equal(tc, existing, tc.candidate("a").Identity)

				events, err := kv.ReadTransact(tc.Context(), tc.db, func(tr kv.ReadTransaction) ([]election.Event, error) {
					return tc.election.History(tr, 1)
				})
				require.NoError(tc, err)
				require.Equal(tc, election.EventDuplicate, events[0].Kind)
				require.Equal(tc, existing, events[0].From)
				require.Equal(tc, "a", events[0].To.ID)
				require.Equal(tc, term, events[0].Term)
			})
		})
	}
}

// Several supervised processes have one id. One of them leads all the time, and the others
// are refused as often as they are restarted.
func TestOneIDSupervised(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		ctx, cancel := context.WithCancel(tc.Context())
		terms, refused := make(chan uint64, 10_000), make(chan error, 10_000)
		for range 3 {
			go func() {
				for ctx.Err() == nil {
					p := tc.process("a")
					err := p.Run(ctx, func(ctx context.Context, lead *elector.Leadership) error {
						terms <- lead.Term()
						return untilStopped(ctx, lead)
					})
					if err != nil {
						refused <- err
					}
					time.Sleep(time.Second)
				}
			}()
		}
		time.Sleep(longtest.Pick(2*time.Minute, 10*time.Minute))
		require.EqualValues(tc, 1, tc.leader().Term)
		require.Len(tc, terms, 1)
		require.Greater(tc, len(refused), longtest.Pick(20, 100))
		for len(refused) > 0 {
			require.ErrorIs(tc, <-refused, fdbelection.ErrDuplicateID)
		}
		cancel()
		time.Sleep(lease)
		synctest.Wait()
		require.True(tc, tc.leader().Vacant())
		require.Empty(tc, tc.candidates())
	})
}

// A lone process that is restarted after a crash leads one lease after its first read. The log
// says meanwhile what it waits for.
func TestRestartAfterACrash(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		var log journal
		p := tc.begin("a", logTo(&log, slog.LevelInfo))
		p.leads()
		time.Sleep(10*heartbeat + heartbeat/2)
		p.Abandon()
		restarted := time.Now()
		require.NoError(tc, p.Start(tc.Context()))
		require.EqualValues(tc, 2, p.leads().Term)
		require.LessOrEqual(tc, time.Since(restarted), lease+soon)
		require.GreaterOrEqual(tc, time.Since(restarted), lease)
		require.Contains(tc, strings.Join(log.lines(), "\n"), "at_most="+lease.String())
	})
}

// A commit that was in flight when a process crashed arrives after its restart. The process
// waits one lease from then, and leads.
func TestRestartBeforeALateCommit(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.begin("a")
		p.leads()
		late := make(chan *memkv.LateCommit, 1)
		tc.before(on(memkv.CallCommit, "a", func(ctx context.Context, c *memkv.Call) error {
			late <- c.Detach()
			<-ctx.Done()
			return ctx.Err()
		}))
		inFlight := within(tc, late, "a renewal")
		p.Abandon()
		tc.before(nil)
		require.NoError(tc, p.Start(tc.Context()))
		p.enters(elector.StateFollower)
		_, err := inFlight.Land()
		require.NoError(tc, err)
		landed := time.Now()
		require.EqualValues(tc, 2, p.leads().Term)
		require.GreaterOrEqual(tc, time.Since(landed), lease)
		require.LessOrEqual(tc, time.Since(landed), lease+heartbeat+soon)
		require.Len(tc, tc.candidates(), 1)
	})
}

// A follower that is restarted after a crash is registered after the candidate timeout, as
// the only candidate with its id.
func TestRestartOfAFollower(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		tc.begin("b").leads()
		p := tc.begin("a")
		p.enters(elector.StateFollower)
		time.Sleep(tc.config.CandidateTimeout * 10 / 3)
		p.Abandon()
		crashed := tc.candidate("a")
		restarted := time.Now()
		require.NoError(tc, p.Start(tc.Context()))
		for tc.listed("a") && tc.candidate("a").Identity == crashed.Identity {
			time.Sleep(time.Millisecond)
		}
		require.LessOrEqual(tc, time.Since(restarted), tc.config.CandidateTimeout+soon)
		p.enters(elector.StateFollower)
		time.Sleep(2 * lease)
		require.Equal(tc, "b", tc.leader().ID)
		require.Len(tc, tc.candidates(), 2)
	})
}

// A process that has left in order leaves no record, so a restart does not wait.
func TestRestartAfterAStop(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		tc.begin("b").leads()
		p := tc.begin("a")
		p.enters(elector.StateFollower)
		p.stop()
		restarted := time.Now()
		require.NoError(tc, p.Start(tc.Context()))
		for !tc.listed("a") {
			time.Sleep(time.Millisecond)
		}
		require.Less(tc, time.Since(restarted), soon)
	})
}

// A process whose record was replaced by force stops. It releases its leadership in order.
func TestReplacedByForce(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.begin("a")
		p.leads()
		newer := election.Registration{Identity: election.Identity{ID: "a", Incarnation: uuid.New()}}
		tc.transact(func(tr kv.Transaction) error { return tc.election.RegisterCandidate(tr, newer, time.Now()) })
		p.enters(elector.StateStopped)
		require.ErrorIs(tc, p.Stop(tc.Context()), fdbelection.ErrDuplicateID)
		require.True(tc, tc.leader().Vacant())
		require.Equal(tc, newer.Identity, tc.candidate("a").Identity)
	})
}

// A process was cut off for longer than the candidate timeout, and another one was started
// with its id. It stops when it can reach the database.
func TestReplacedWhileCutOff(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		older := tc.process("a")
		older.run(tc.Context(), untilStopped)
		older.leads()
		tc.before(of("a", fail(errDisk)))
		time.Sleep(tc.config.CandidateTimeout)
		tc.clients["a"] = tc.db.NewClient("elsewhere", memkv.ClientOptions{})
		newer := tc.process("a")
		require.NoError(tc, newer.Start(tc.Context()))
		require.EqualValues(tc, 2, newer.leads().Term)
		tc.before(nil)
		require.ErrorIs(tc, within(tc, older.result, "the end of Run"), fdbelection.ErrDuplicateID)
		time.Sleep(2 * lease)
		require.True(tc, newer.Leading())
		require.EqualValues(tc, 2, tc.leader().Term)
	})
}
