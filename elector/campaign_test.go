package elector_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector"
)

// campaign calls Campaign in a goroutine. The channels get its results.
func (p *process) campaign(ctx context.Context) (<-chan *elector.Leadership, <-chan error) {
	leads, errs := make(chan *elector.Leadership, 1), make(chan error, 1)
	go func() {
		if lead, err := p.Campaign(ctx); err != nil {
			errs <- err
		} else {
			leads <- lead
		}
	}()
	return leads, errs
}

// Between two campaigns the process is registered and does not lead.
func TestCampaign(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		for term := range uint64(3) {
			lead, err := p.Campaign(tc.Context())
			require.NoError(tc, err)
			require.Equal(tc, term+1, lead.Term())
			require.Equal(tc, lead.Token(), tc.leader().Token())
			require.Equal(tc, tc.leader().Ballot, lead.Ballot())
			require.True(tc, lead.Leads() && p.Leading())
			require.NoError(tc, tc.db.Transact(tc.Context(), lead.Fence))
			time.Sleep(2 * lease)
			require.True(tc, lead.Leads())
			require.NoError(tc, lead.Resign(tc.Context()))
			require.False(tc, lead.Leads() || p.Leading())
			require.True(tc, tc.leader().Vacant())
			require.Error(tc, lead.LeaseContext().Err())
			require.NoError(tc, lead.Resign(tc.Context()), "a second call has no effect")
			time.Sleep(5 * lease)
			require.True(tc, tc.leader().Vacant())
			require.True(tc, tc.listed("a"))
		}
		p.stop()
		require.Empty(tc, tc.candidates())
	})
}

// A process that has lost leadership can campaign again. The next campaign waits until the
// lost tenure may not use its lease any more, and no longer.
func TestCampaignAfterALoss(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		lead, err := p.Campaign(tc.Context())
		require.NoError(tc, err)
		tc.before(fail(errDisk))
		<-lead.Context().Done()
		again, _ := p.campaign(tc.Context())
		time.Sleep(2 * lease)
		tc.before(nil)
		time.Sleep(2 * lease)
		next := within(tc, again, "leadership")
		require.Equal(tc, uint64(2), next.Term())
		require.NoError(tc, lead.Resign(tc.Context()), "that tenure is already over")
		require.True(tc, next.Leads())
		require.NoError(tc, next.Resign(tc.Context()))
	})
}

func TestCampaignIsCancelled(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		tc.begin("other").leads()
		p := tc.process("a")
		ctx, cancel := context.WithCancelCause(tc.Context())
		_, errs := p.campaign(ctx)
		p.enters(elector.StateFollower)
		cancel(errWork)
		require.ErrorIs(tc, within(tc, errs, "the end of the campaign"), errWork)
		synctest.Wait()
		require.True(tc, tc.listed("a"))
		require.Equal(tc, elector.StateFollower, p.State())
		_, err := p.Campaign(ctx)
		require.ErrorIs(tc, err, errWork)
	})
}

// A campaign that is won and cancelled at the same time does not keep leadership.
func TestCampaignIsCancelledAsItIsWon(t *testing.T) {
	for microseconds := range 20 {
		inCluster(t, func(tc *cluster) {
			tc.after(delayed(time.Microsecond))
			p := tc.process("a")
			ctx, cancel := context.WithTimeout(tc.Context(), time.Duration(microseconds)*time.Microsecond)
			defer cancel()
			lead, err := p.Campaign(ctx)
			if err == nil {
				require.NoError(tc, lead.Resign(tc.Context()))
			}
			tc.after(nil)
			time.Sleep(2 * lease)
			require.False(tc, p.Leading())
			tc.initialize()
			require.True(tc, tc.leader().Vacant())
			p.stop()
		})
	}
}

func TestCampaignsLeadOneAfterTheOther(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		var all []<-chan *elector.Leadership
		for range 5 {
			leads, _ := p.campaign(tc.Context())
			all = append(all, leads)
			synctest.Wait()
		}
		for i, leads := range all {
			lead := within(tc, leads, "leadership")
			require.Equal(tc, uint64(i+1), lead.Term())
			synctest.Wait()
			for _, later := range all[i+1:] {
				require.Empty(tc, later)
			}
			require.NoError(tc, lead.Resign(tc.Context()))
		}
	})
}

func TestStopEndsCampaigns(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		lead, err := p.Campaign(tc.Context())
		require.NoError(tc, err)
		_, errs := p.campaign(tc.Context())
		synctest.Wait()
		stopped := make(chan error, 1)
		go func() { stopped <- p.Stop(tc.Context()) }()
		<-lead.Context().Done()
		require.Empty(tc, stopped)
		require.NoError(tc, lead.LeaseContext().Err())
		require.NoError(tc, lead.Resign(tc.Context()))
		require.True(tc, tc.leader().Vacant(), "Resign returns after leadership is released")
		require.NoError(tc, <-stopped)
		require.ErrorIs(tc, within(tc, errs, "the end of the campaign"), elector.ErrNotRunning)
		require.Empty(tc, tc.candidates())
	})
}

// Resign returns an error if leadership was not released.
func TestResignAfterAbandon(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		lead, err := p.Campaign(tc.Context())
		require.NoError(tc, err)
		p.Abandon()
		require.Error(tc, lead.Context().Err())
		require.ErrorContains(tc, lead.Resign(tc.Context()), "abandoned")
		require.Equal(tc, "a", tc.leader().ID)
	})
}

// A campaign under an id that is in use ends with ErrDuplicateID.
func TestCampaignOfADuplicate(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		tc.begin("other").leads()
		tc.begin("a").enters(elector.StateFollower)
		_, errs := tc.process("a").campaign(tc.Context())
		require.ErrorIs(tc, within(tc, errs, "the end of the campaign"), fdbelection.ErrDuplicateID)
	})
}

// A process that stands by does not accept leadership that is handed over to it.
func TestStandByDoesNotLead(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		lead, err := p.Campaign(tc.Context())
		require.NoError(tc, err)
		require.NoError(tc, lead.Resign(tc.Context()))
		b := tc.begin("b")
		b.leads()
		require.NoError(tc, tc.transfer("a"))
		time.Sleep(2 * lease)
		require.True(tc, b.Leading())
		require.False(tc, p.Leading())
	})
}
