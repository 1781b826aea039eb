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
var losses = map[string]func(tc *cluster, p *process, lead *elector.Leadership) (repair func()){
	"not renewed": func(tc *cluster, _ *process, lead *elector.Leadership) func() {
		tc.before(of("a", fail(errDisk)))
		<-lead.LeaseContext().Done()
		return func() { tc.before(nil) }
	},
	"machine suspended": func(_ *cluster, p *process, _ *elector.Leadership) func() {
		p.clock.suspend(2 * lease)
		return func() {}
	},
	"seat taken by an operator": func(tc *cluster, _ *process, _ *elector.Leadership) func() {
		tc.transact(func(tr kv.Transaction) error {
			leader, err := tc.election.GetLeaderRaw(tr)
			if err != nil {
				return err
			}
			return tc.election.ForceResign(tr, leader.Token(), leader.Ballot, time.Now())
		})
		return func() {}
	},
	"records deleted": func(tc *cluster, _ *process, _ *elector.Leadership) func() {
		tc.transact(func(tr kv.Transaction) error {
			begin, end := tc.election.Subspace().Range()
			tr.ClearRange(begin, end)
			return nil
		})
		return func() {}
	},
	"preempted after the grace": func(tc *cluster, _ *process, _ *elector.Leadership) func() {
		return tc.begin("high", priority(1)).stop
	},
	"preempted at once": func(tc *cluster, _ *process, _ *elector.Leadership) func() {
		tc.reconfigure(func(c *fdbelection.Config) { c.PreemptionGrace = 0 })
		return tc.begin("high", priority(1)).stop
	},
	"disabled": func(tc *cluster, _ *process, _ *elector.Leadership) func() {
		tc.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
		return func() { tc.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = true }) }
	},
	"demoted": func(tc *cluster, p *process, _ *elector.Leadership) func() {
		require.NoError(tc, p.SetRole(election.Observer))
		return func() { require.NoError(tc, p.SetRole(election.Voter)) }
	},
	"asked to resign": func(tc *cluster, _ *process, lead *elector.Leadership) func() {
		tc.transact(func(tr kv.Transaction) error { return tc.election.RequestResign(tr, lead.Term(), nonce(1)) })
		return func() {}
	},
	"asked to hand over": func(tc *cluster, _ *process, _ *elector.Leadership) func() {
		b := tc.begin("b")
		b.enters(elector.StateFollower)
		require.NoError(tc, tc.transfer("b"))
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
			inCluster(t, func(tc *cluster) {
				p := tc.process("a")
				lead, err := p.Campaign(tc.Context())
				require.NoError(tc, err)
				time.Sleep(heartbeat / 2)
				repair := lose(tc, p, lead)
				<-lead.LeaseContext().Done()
				synctest.Wait()
				require.Empty(tc, p.unfinished(), "the caller has not campaigned again")
				if name == "demoted" {
					_, err := p.Campaign(tc.Context())
					require.ErrorIs(tc, err, fdbelection.ErrNotVoting)
					repair()
				}
				again, _ := p.campaign(tc.Context())
				synctest.Wait()
				reports := p.unfinished()
				repair()
				next := within(tc, again, "leadership")
				require.NotSame(tc, lead, next)
				require.True(tc, next.Leads())
				require.False(tc, lead.Leads())
				reports = append(reports, p.unfinished()...)
				require.Len(tc, reports, 1)
				require.Equal(tc, lead.Term(), reports[0].Term)
				require.ErrorContains(tc, reports[0], "Resign")

				require.NoError(tc, lead.Resign(tc.Context()), "it changes nothing any more")
				require.True(tc, next.Leads())
				require.NoError(tc, next.Resign(tc.Context()))
				require.Empty(tc, p.unfinished())
			})
		})
	}
}

// A campaign that waits while another caller leads goes on when that tenure is
// lost, in whatever way.
func TestWaitingCampaignAfterALossWithoutResign(t *testing.T) {
	for name, lose := range losses {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				p := tc.process("a")
				lead, err := p.Campaign(tc.Context())
				require.NoError(tc, err)
				again, refused := p.campaign(tc.Context())
				time.Sleep(heartbeat / 2)
				repair := lose(tc, p, lead)
				<-lead.LeaseContext().Done()
				repair()
				if name == "demoted" {
					require.ErrorIs(tc, within(tc, refused, "the end of the campaign"), fdbelection.ErrNotVoting)
					return
				}
				next := within(tc, again, "leadership")
				require.Error(tc, lead.LeaseContext().Err())
				require.Len(tc, p.unfinished(), 1)
				require.NoError(tc, next.Resign(tc.Context()))
			})
		})
	}
}

// A tenure that was lost and then resigned is not reported.
func TestResignedLossIsNotReported(t *testing.T) {
	for name, lose := range losses {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				p := tc.process("a")
				lead, err := p.Campaign(tc.Context())
				require.NoError(tc, err)
				time.Sleep(heartbeat / 2)
				repair := lose(tc, p, lead)
				<-lead.LeaseContext().Done()
				repair()
				require.NoError(tc, lead.Resign(tc.Context()))
				next, err := p.Campaign(tc.Context())
				require.NoError(tc, err)
				require.NoError(tc, next.Resign(tc.Context()))
				require.Empty(tc, p.unfinished())
			})
		})
	}
}

// Work of Run that goes on after its lease keeps the process from leading again.
// The elector reports it once it has had the time that work has to stop.
func TestWorkGoesOnAfterItsLease(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		var log journal
		p := tc.process("a", logTo(&log, slog.LevelWarn))
		hold := make(chan struct{})
		tenures := p.tenures(hold)
		lead := within(tc, tenures, "leadership")
		losses["records deleted"](tc, p, lead)
		<-lead.LeaseContext().Done()
		time.Sleep(drain - time.Millisecond)
		require.Empty(tc, p.unfinished())
		time.Sleep(2 * time.Millisecond)
		reports := p.unfinished()
		require.Len(tc, reports, 1)
		require.Equal(tc, uint64(1), reports[0].Term)
		require.Contains(tc, strings.Join(log.lines(), "\n"), "the work of term 1")
		time.Sleep(2 * lease)
		require.Empty(tc, p.unfinished(), "it is told once")
		require.Empty(tc, tenures)
		close(hold)
		within(tc, tenures, "leadership")
		time.Sleep(2 * lease)
		require.Empty(tc, p.unfinished())
	})
}

// Work that stops within its time is not reported.
func TestWorkThatStopsInTimeIsNotReported(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		tc.initialize()
		p := tc.process("a")
		tenures := p.tenures(nil)
		for range 3 {
			lead := within(tc, tenures, "leadership")
			tc.before(on(memkv.CallCommit, "a", fail(errDisk)))
			<-lead.LeaseContext().Done()
			tc.before(nil)
		}
		time.Sleep(2 * drain)
		require.Empty(tc, p.unfinished())
	})
}
