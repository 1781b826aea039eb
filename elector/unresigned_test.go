package elector_test

import (
	"errors"
	"log/slog"
	"strings"
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

// losses are the ways in which a tenure ends although its work has not. Each takes
// the tenure away, and returns what makes the seat available again.
var losses = map[string]func(w *world, p *process, lead *elector.Leadership) (repair func()){
	"not renewed": func(w *world, _ *process, lead *elector.Leadership) func() {
		w.before(of("a", fail(errDisk)))
		<-lead.LeaseContext().Done()
		return func() { w.before(nil) }
	},
	"machine suspended": func(_ *world, p *process, _ *elector.Leadership) func() {
		p.clock.suspend(2 * lease)
		return func() {}
	},
	"seat taken by an operator": func(w *world, _ *process, _ *elector.Leadership) func() {
		w.transact(func(tr kv.Transaction) error {
			seat, err := w.election.GetLeaderRaw(tr)
			if err != nil {
				return err
			}
			return w.election.ForceResign(tr, seat.Token(), seat.Ballot, time.Now())
		})
		return func() {}
	},
	"records deleted": func(w *world, _ *process, _ *elector.Leadership) func() {
		w.transact(func(tr kv.Transaction) error {
			begin, end := w.election.Subspace().Range()
			tr.ClearRange(begin, end)
			return nil
		})
		return func() {}
	},
	"preempted after the grace": func(w *world, _ *process, _ *elector.Leadership) func() {
		return w.begin("high", priority(1)).stop
	},
	"preempted at once": func(w *world, _ *process, _ *elector.Leadership) func() {
		w.reconfigure(func(c *fdbelection.Config) { c.PreemptionGrace = 0 })
		return w.begin("high", priority(1)).stop
	},
	"disabled": func(w *world, _ *process, _ *elector.Leadership) func() {
		w.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
		return func() { w.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = true }) }
	},
	"demoted": func(w *world, p *process, _ *elector.Leadership) func() {
		require.NoError(w, p.SetRole(election.Observer))
		return func() { require.NoError(w, p.SetRole(election.Voter)) }
	},
	"asked to resign": func(w *world, _ *process, lead *elector.Leadership) func() {
		w.transact(func(tr kv.Transaction) error { return w.election.RequestResign(tr, lead.Term(), nonce(1)) })
		return func() {}
	},
	"asked to hand over": func(w *world, _ *process, _ *elector.Leadership) func() {
		b := w.begin("b")
		b.enters(elector.StateFollower)
		require.NoError(w, w.transfer("b"))
		return b.stop
	},
}

// unfinished returns the reports of unfinished work that wait to be read.
func (p *process) unfinished() (all []*elector.UnfinishedWorkError) {
	for {
		select {
		case err := <-p.Errors():
			if e, ok := errors.AsType[*elector.UnfinishedWorkError](err); ok {
				all = append(all, e)
			}
		default:
			return all
		}
	}
}

// A caller that lost its tenure and did not resign it leads again. The elector
// reports once that the earlier Leadership was not resigned.
func TestCampaignAfterALossWithoutResign(t *testing.T) {
	for name, lose := range losses {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				p := w.process("a")
				lead, err := p.Campaign(w.Context())
				require.NoError(w, err)
				time.Sleep(heartbeat / 2)
				repair := lose(w, p, lead)
				<-lead.LeaseContext().Done()
				synctest.Wait()
				require.Empty(w, p.unfinished(), "the caller has not campaigned again")
				if name == "demoted" {
					_, err := p.Campaign(w.Context())
					require.ErrorIs(w, err, fdbelection.ErrNotVoting)
					repair()
				}
				again, _ := p.campaign(w.Context())
				synctest.Wait()
				reports := p.unfinished()
				repair()
				next := within(w, again, "leadership")
				require.NotSame(w, lead, next)
				require.True(w, next.Leads())
				require.False(w, lead.Leads())
				reports = append(reports, p.unfinished()...)
				require.Len(w, reports, 1)
				require.Equal(w, lead.Term(), reports[0].Term)
				require.ErrorContains(w, reports[0], "Resign")

				require.NoError(w, lead.Resign(w.Context()), "it changes nothing any more")
				require.True(w, next.Leads())
				require.NoError(w, next.Resign(w.Context()))
				require.Empty(w, p.unfinished())
			})
		})
	}
}

// A campaign that waits while another caller leads goes on when that tenure is
// lost, in whatever way.
func TestWaitingCampaignAfterALossWithoutResign(t *testing.T) {
	for name, lose := range losses {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				p := w.process("a")
				lead, err := p.Campaign(w.Context())
				require.NoError(w, err)
				again, refused := p.campaign(w.Context())
				time.Sleep(heartbeat / 2)
				repair := lose(w, p, lead)
				<-lead.LeaseContext().Done()
				repair()
				if name == "demoted" {
					require.ErrorIs(w, within(w, refused, "the end of the campaign"), fdbelection.ErrNotVoting)
					return
				}
				next := within(w, again, "leadership")
				require.Error(w, lead.LeaseContext().Err())
				require.Len(w, p.unfinished(), 1)
				require.NoError(w, next.Resign(w.Context()))
			})
		})
	}
}

// A tenure that was lost and then resigned is not reported.
func TestResignedLossIsNotReported(t *testing.T) {
	for name, lose := range losses {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				p := w.process("a")
				lead, err := p.Campaign(w.Context())
				require.NoError(w, err)
				time.Sleep(heartbeat / 2)
				repair := lose(w, p, lead)
				<-lead.LeaseContext().Done()
				repair()
				require.NoError(w, lead.Resign(w.Context()))
				next, err := p.Campaign(w.Context())
				require.NoError(w, err)
				require.NoError(w, next.Resign(w.Context()))
				require.Empty(w, p.unfinished())
			})
		})
	}
}

// Work of Run that goes on after its lease keeps the process from leading again.
// The elector reports it once it has had the time that work has to stop.
func TestWorkGoesOnAfterItsLease(t *testing.T) {
	inWorld(t, func(w *world) {
		var log journal
		p := w.process("a", logTo(&log, slog.LevelWarn))
		hold := make(chan struct{})
		tenures := p.tenures(hold)
		lead := within(w, tenures, "leadership")
		losses["records deleted"](w, p, lead)
		<-lead.LeaseContext().Done()
		time.Sleep(drain - time.Millisecond)
		require.Empty(w, p.unfinished())
		time.Sleep(2 * time.Millisecond)
		reports := p.unfinished()
		require.Len(w, reports, 1)
		require.Equal(w, uint64(1), reports[0].Term)
		require.Contains(w, strings.Join(log.lines(), "\n"), "the work of term 1")
		time.Sleep(2 * lease)
		require.Empty(w, p.unfinished(), "it is told once")
		require.Empty(w, tenures)
		close(hold)
		within(w, tenures, "leadership")
		time.Sleep(2 * lease)
		require.Empty(w, p.unfinished())
	})
}

// Work that stops within its time is not reported.
func TestWorkThatStopsInTimeIsNotReported(t *testing.T) {
	inWorld(t, func(w *world) {
		w.initialize()
		p := w.process("a")
		tenures := p.tenures(nil)
		for range 3 {
			lead := within(w, tenures, "leadership")
			w.before(on(memkv.CallCommit, "a", fail(errDisk)))
			<-lead.LeaseContext().Done()
			w.before(nil)
		}
		time.Sleep(2 * drain)
		require.Empty(w, p.unfinished())
	})
}
