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
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv/memkv"
)

// unfinished returns the UnfinishedWorkErrors in Errors.
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

// A caller that lost its tenure and did not resign it can lead again. The elector reports once
// that the earlier Leadership was not resigned.
func TestCampaignAfterALossWithoutResign(t *testing.T) {
	eachLoss(t, func(tc *cluster, name string, p *process, lead *elector.Leadership, lose func() func()) {
		repair := lose()
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

		require.NoError(tc, lead.Resign(tc.Context()), "it has no effect any more")
		require.True(tc, next.Leads())
		require.NoError(tc, next.Resign(tc.Context()))
		require.Empty(tc, p.unfinished())
	})
}

// A campaign that waits while another caller leads wins after that tenure is lost.
func TestWaitingCampaignAfterALossWithoutResign(t *testing.T) {
	eachLoss(t, func(tc *cluster, name string, p *process, lead *elector.Leadership, lose func() func()) {
		again, refused := p.campaign(tc.Context())
		repair := lose()
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
}

// A tenure that was lost and then resigned is not reported.
func TestResignedLossIsNotReported(t *testing.T) {
	eachLoss(t, func(tc *cluster, _ string, p *process, lead *elector.Leadership, lose func() func()) {
		repair := lose()
		<-lead.LeaseContext().Done()
		repair()
		require.NoError(tc, lead.Resign(tc.Context()))
		next, err := p.Campaign(tc.Context())
		require.NoError(tc, err)
		require.NoError(tc, next.Resign(tc.Context()))
		require.Empty(tc, p.unfinished())
	})
}

// Work of Run that runs longer than its lease prevents the process from leading again. It is
// reported after its time to stop.
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
		require.Empty(tc, p.unfinished(), "it is reported once")
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
