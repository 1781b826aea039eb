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
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// A process that is started under the id of a live one stops, says which one is in its
// way, and harms nothing. The history names both.
func TestDuplicateID(t *testing.T) {
	for name, leads := range map[string]bool{"the incumbent leads": true, "the incumbent follows": false} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				if !leads {
					w.begin("b").leads()
				}
				older := w.begin("a")
				if leads {
					older.leads()
				} else {
					older.enters(elector.StateFollower)
				}
				time.Sleep(heartbeat / 2)
				term, incumbent := w.seat().Term, w.candidate("a").Identity
				newer := w.process("a")
				newer.run(w.Context(), untilAsked)
				err := within(w, newer.result, "its end")
				require.ErrorIs(w, err, fdbelection.ErrDuplicateID)
				require.ErrorContains(w, err, incumbent.String())
				require.Equal(w, elector.StateStopped, newer.State())
				time.Sleep(2 * lease)
				require.Equal(w, leads, older.believes())
				require.Equal(w, term, w.seat().Term)
				require.Equal(w, incumbent, w.candidate("a").Identity)

				events, err := kv.ReadTransact(w.Context(), w.db, func(tr kv.ReadTransaction) ([]election.Event, error) {
					return w.election.History(tr, 1)
				})
				require.NoError(w, err)
				require.Equal(w, election.EventDuplicate, events[0].Kind)
				require.Equal(w, incumbent, events[0].From)
				require.Equal(w, "a", events[0].To.ID)
				require.Equal(w, term, events[0].Term)
			})
		})
	}
}

// Several supervised processes under one id: one of them leads, all the time, and the
// others are refused for as long as they are started again.
func TestOneIDSupervised(t *testing.T) {
	inWorld(t, func(w *world) {
		ctx, cancel := context.WithCancel(w.Context())
		terms, refused := make(chan uint64, 10_000), make(chan error, 10_000)
		for range 3 {
			go func() {
				for ctx.Err() == nil {
					p := w.process("a")
					err := p.Run(ctx, func(ctx context.Context, lead *elector.Leadership) error {
						terms <- lead.Term()
						return untilAsked(ctx, lead)
					})
					if err != nil {
						refused <- err
					}
					time.Sleep(time.Second)
				}
			}()
		}
		time.Sleep(10 * time.Minute)
		require.EqualValues(w, 1, w.seat().Term)
		require.Len(w, terms, 1)
		require.Greater(w, len(refused), 100)
		for len(refused) > 0 {
			require.ErrorIs(w, <-refused, fdbelection.ErrDuplicateID)
		}
		cancel()
		time.Sleep(lease)
		synctest.Wait()
		require.True(w, w.seat().Vacant())
		require.Empty(w, w.candidates())
	})
}

// A lone process that crashes and is started again leads one lease after its first
// read, and says meanwhile what it waits for.
func TestRestartAfterACrash(t *testing.T) {
	inWorld(t, func(w *world) {
		var log journal
		p := w.begin("a", logTo(&log, slog.LevelInfo))
		p.leads()
		time.Sleep(10*heartbeat + heartbeat/2)
		p.Abandon()
		restarted := time.Now()
		require.NoError(w, p.Start(w.Context()))
		require.EqualValues(w, 2, p.leads().Term)
		require.LessOrEqual(w, time.Since(restarted), lease+soon)
		require.GreaterOrEqual(w, time.Since(restarted), lease)
		require.Contains(w, strings.Join(log.lines(), "\n"), "at_most="+lease.String())
	})
}

// A follower that crashes and is started again is registered again after the candidate
// timeout, as the same and only candidate of its id.
func TestRestartOfAFollower(t *testing.T) {
	inWorld(t, func(w *world) {
		w.begin("b").leads()
		p := w.begin("a")
		p.enters(elector.StateFollower)
		time.Sleep(w.config.CandidateTimeout * 10 / 3)
		p.Abandon()
		crashed := w.candidate("a")
		restarted := time.Now()
		require.NoError(w, p.Start(w.Context()))
		for w.listed("a") && w.candidate("a").Identity == crashed.Identity {
			time.Sleep(time.Millisecond)
		}
		require.LessOrEqual(w, time.Since(restarted), w.config.CandidateTimeout+soon)
		p.enters(elector.StateFollower)
		time.Sleep(2 * lease)
		require.Equal(w, "b", w.seat().ID)
		require.Len(w, w.candidates(), 2)
	})
}

// A process that has left in order leaves no record, so a restart is not held up.
func TestRestartAfterAStop(t *testing.T) {
	inWorld(t, func(w *world) {
		w.begin("b").leads()
		p := w.begin("a")
		p.enters(elector.StateFollower)
		p.stop()
		restarted := time.Now()
		require.NoError(w, p.Start(w.Context()))
		for !w.listed("a") {
			time.Sleep(time.Millisecond)
		}
		require.Less(w, time.Since(restarted), soon)
	})
}

// A process whose record another one has taken stops, also if that was by force. Its
// seat it leaves in order.
func TestReplacedByForce(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.begin("a")
		p.leads()
		newer := election.Registration{Identity: election.Identity{ID: "a", Incarnation: uuid.New()}}
		w.transact(func(tr kv.Transaction) error { return w.election.RegisterCandidate(tr, newer, time.Now()) })
		p.enters(elector.StateStopped)
		require.ErrorIs(w, p.Stop(w.Context()), fdbelection.ErrDuplicateID)
		require.True(w, w.seat().Vacant())
		require.Equal(w, newer.Identity, w.candidate("a").Identity)
	})
}

// A process that was cut off for longer than the candidate timeout has lost its id to
// the one that was started in its place, and stops when it is back.
func TestReplacedWhileCutOff(t *testing.T) {
	inWorld(t, func(w *world) {
		older := w.process("a")
		older.run(w.Context(), untilAsked)
		older.leads()
		w.before(of("a", fail(errDisk)))
		time.Sleep(w.config.CandidateTimeout)
		w.clients["a"] = w.db.NewClient("elsewhere", memkv.ClientOptions{})
		newer := w.process("a")
		require.NoError(w, newer.Start(w.Context()))
		require.EqualValues(w, 2, newer.leads().Term)
		w.before(nil)
		require.ErrorIs(w, within(w, older.result, "its end"), fdbelection.ErrDuplicateID)
		time.Sleep(2 * lease)
		require.True(w, newer.believes())
		require.EqualValues(w, 2, w.seat().Term)
	})
}
