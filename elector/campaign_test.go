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

// campaign has a process campaign; what comes of it is on the channels.
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

// Between two campaigns the process is listed, and does not lead.
func TestCampaign(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.process("a")
		for term := range uint64(3) {
			lead, err := p.Campaign(w.Context())
			require.NoError(w, err)
			require.Equal(w, term+1, lead.Term())
			require.Equal(w, lead.Token(), w.seat().Token())
			require.Equal(w, w.seat().Ballot, lead.Ballot())
			require.True(w, lead.Leads() && p.believes())
			require.NoError(w, w.db.Transact(w.Context(), lead.Fence))
			time.Sleep(2 * lease)
			require.True(w, lead.Leads())
			require.NoError(w, lead.Resign(w.Context()))
			require.False(w, lead.Leads() || p.believes())
			require.True(w, w.seat().Vacant())
			require.Error(w, lead.LeaseContext().Err())
			require.NoError(w, lead.Resign(w.Context()), "once more changes nothing")
			time.Sleep(5 * lease)
			require.True(w, w.seat().Vacant())
			require.True(w, w.listed("a"))
		}
		p.stop()
		require.Empty(w, w.candidates())
	})
}

// A leader that has lost its seat can campaign again. The next campaign waits no
// longer than the lost tenure may use its lease.
func TestCampaignAfterALoss(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.process("a")
		lead, err := p.Campaign(w.Context())
		require.NoError(w, err)
		w.before(fail(errDisk))
		<-lead.Context().Done()
		again, _ := p.campaign(w.Context())
		time.Sleep(2 * lease)
		w.before(nil)
		time.Sleep(2 * lease)
		next := within(w, again, "leadership")
		require.Equal(w, uint64(2), next.Term())
		require.NoError(w, lead.Resign(w.Context()), "the seat of that tenure is given up already")
		require.True(w, next.Leads())
		require.NoError(w, next.Resign(w.Context()))
	})
}

func TestCampaignIsCancelled(t *testing.T) {
	inWorld(t, func(w *world) {
		w.begin("other").leads()
		p := w.process("a")
		ctx, cancel := context.WithCancelCause(w.Context())
		_, errs := p.campaign(ctx)
		p.enters(elector.StateFollower)
		cancel(errWork)
		require.ErrorIs(w, within(w, errs, "the end of the campaign"), errWork)
		synctest.Wait()
		require.True(w, w.listed("a"))
		require.Equal(w, elector.StateFollower, p.State())
		_, err := p.Campaign(ctx)
		require.ErrorIs(w, err, errWork)
	})
}

// A campaign that was won and cancelled at once holds no seat.
func TestCampaignIsCancelledAsItIsWon(t *testing.T) {
	for microseconds := range 20 {
		inWorld(t, func(w *world) {
			w.after(delayed(time.Microsecond))
			p := w.process("a")
			ctx, cancel := context.WithTimeout(w.Context(), time.Duration(microseconds)*time.Microsecond)
			defer cancel()
			lead, err := p.Campaign(ctx)
			if err == nil {
				require.NoError(w, lead.Resign(w.Context()))
			}
			w.after(nil)
			time.Sleep(2 * lease)
			require.False(w, p.believes())
			w.initialize()
			require.True(w, w.seat().Vacant())
			p.stop()
		})
	}
}

func TestCampaignsLeadOneAfterTheOther(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.process("a")
		var all []<-chan *elector.Leadership
		for range 5 {
			leads, _ := p.campaign(w.Context())
			all = append(all, leads)
			synctest.Wait()
		}
		for i, leads := range all {
			lead := within(w, leads, "leadership")
			require.Equal(w, uint64(i+1), lead.Term())
			synctest.Wait()
			for _, later := range all[i+1:] {
				require.Empty(w, later)
			}
			require.NoError(w, lead.Resign(w.Context()))
		}
	})
}

func TestStopEndsCampaigns(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.process("a")
		lead, err := p.Campaign(w.Context())
		require.NoError(w, err)
		_, errs := p.campaign(w.Context())
		synctest.Wait()
		stopped := make(chan error, 1)
		go func() { stopped <- p.Stop(w.Context()) }()
		<-lead.Context().Done()
		require.Empty(w, stopped)
		require.NoError(w, lead.LeaseContext().Err())
		require.NoError(w, lead.Resign(w.Context()))
		require.True(w, w.seat().Vacant(), "Resign returns when the seat is given up")
		require.NoError(w, <-stopped)
		require.ErrorIs(w, within(w, errs, "the end of the campaign"), elector.ErrNotRunning)
		require.Empty(w, w.candidates())
	})
}

// Resign says where the seat was not given up.
func TestResignOfWhatIsAbandoned(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.process("a")
		lead, err := p.Campaign(w.Context())
		require.NoError(w, err)
		p.Abandon()
		require.Error(w, lead.Context().Err())
		require.ErrorContains(w, lead.Resign(w.Context()), "abandoned")
		require.Equal(w, "a", w.seat().ID)
	})
}

// A campaign under an id that is in use ends, with the reason.
func TestCampaignOfADuplicate(t *testing.T) {
	inWorld(t, func(w *world) {
		w.begin("other").leads()
		w.begin("a").enters(elector.StateFollower)
		_, errs := w.process("a").campaign(w.Context())
		require.ErrorIs(w, within(w, errs, "the end of the campaign"), fdbelection.ErrDuplicateID)
	})
}

// Who only stands by accepts no seat that is handed to it.
func TestStandByDoesNotLead(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.process("a")
		lead, err := p.Campaign(w.Context())
		require.NoError(w, err)
		require.NoError(w, lead.Resign(w.Context()))
		b := w.begin("b")
		b.leads()
		require.NoError(w, w.transfer("a"))
		time.Sleep(2 * lease)
		require.True(w, b.believes())
		require.False(w, p.believes())
	})
}
