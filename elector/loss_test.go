package elector_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

// The cause of the contexts of a Leadership names the term, the reason, the error of the store
// and the last renewal.
func TestCauseOfLoss(t *testing.T) {
	lossOf := func(name string) func(*cluster, *process, *elector.Leadership) {
		return func(tc *cluster, p *process, lead *elector.Leadership) { losses[name](tc, p, lead) }
	}
	for name, test := range map[string]struct {
		reason elector.Reason
		err    error
		lose   func(tc *cluster, p *process, lead *elector.Leadership)
	}{
		"the store fails": {elector.ReasonUnrenewed, errDisk, func(tc *cluster, _ *process, _ *elector.Leadership) {
			tc.before(of("a", fail(errDisk)))
		}},
		"the store hangs": {elector.ReasonUnrenewed, context.DeadlineExceeded, func(tc *cluster, _ *process, _ *elector.Leadership) {
			tc.before(of("a", hang))
		}},
		"the machine was suspended": {elector.ReasonUnrenewed, nil, func(_ *cluster, p *process, lead *elector.Leadership) {
			p.clock.suspend(lease)
			_ = lead.Context().Err() // compares the clock before any event
		}},
		"resigned in its name": {elector.ReasonLeadershipLost, nil, func(tc *cluster, _ *process, lead *elector.Leadership) {
			tc.transact(func(tr kv.Transaction) error { return tc.election.ResignLeadership(tr, lead.Token(), time.Now()) })
		}},
		"asked to resign": {elector.ReasonAskedToResign, nil, lossOf("asked to resign")},
		"disabled":        {elector.ReasonDisabled, nil, lossOf("disabled")},
		"demoted":         {elector.ReasonDemoted, nil, lossOf("demoted")},
		"resigned": {elector.ReasonWorkReturned, nil, func(tc *cluster, _ *process, lead *elector.Leadership) {
			require.NoError(tc, lead.Resign(tc.Context()))
		}},
		"stopped": {elector.ReasonStopped, nil, func(_ *cluster, p *process, _ *elector.Leadership) {
			go func() { _ = p.Stop(context.Background()) }()
		}},
		"a duplicate id": {elector.ReasonFailed, fdbelection.ErrDuplicateID, func(tc *cluster, _ *process, _ *elector.Leadership) {
			newer := election.Registration{Identity: election.Identity{ID: "a", Incarnation: uuid.UUID{9}}}
			tc.transact(func(tr kv.Transaction) error { return tc.election.RegisterCandidate(tr, newer, time.Now()) })
		}},
		"abandoned": {elector.ReasonFailed, nil, func(_ *cluster, p *process, _ *elector.Leadership) { p.Abandon() }},
	} {
		t.Run(name, func(t *testing.T) {
			inCluster(t, func(tc *cluster) {
				p := tc.process("a")
				lead, err := p.Campaign(tc.Context())
				require.NoError(tc, err)
				time.Sleep(3*heartbeat + heartbeat/2)
				renewed := tc.start.Add(3 * heartbeat)
				test.lose(tc, p, lead)
				<-lead.Context().Done()
				loss, ok := errors.AsType[*elector.LossError](context.Cause(lead.Context()))
				require.True(tc, ok, "%v", context.Cause(lead.Context()))
				require.Equal(tc, test.reason, loss.Reason)
				require.EqualValues(tc, 1, loss.Term)
				require.WithinDuration(tc, renewed, loss.Renewed, heartbeat+soon)
				require.False(tc, loss.Renewed.Before(renewed.Add(-soon)), "%s", loss.Renewed)
				require.ErrorIs(tc, loss, fdbelection.ErrNotLeader)
				if test.err != nil {
					require.ErrorIs(tc, loss, test.err)
				}
				for _, part := range []string{"term 1", string(test.reason)} {
					require.Contains(tc, loss.Error(), part)
				}
				require.NotContains(tc, loss.Error(), "\n")
				_ = lead.Resign(tc.Context())
				require.Error(tc, lead.LeaseContext().Err())
				require.Same(tc, loss, context.Cause(lead.LeaseContext()))
				tc.before(nil)
			})
		})
	}
}

// The cause of a loss does not name an error after which the store was available again.
func TestLossDoesNotNameAPastFailure(t *testing.T) {
	inCluster(t, func(tc *cluster) {
		p := tc.process("a")
		lead, err := p.Campaign(tc.Context())
		require.NoError(tc, err)
		tc.before(of("a", fail(errDisk)))
		time.Sleep(heartbeat + step)
		tc.before(nil)
		time.Sleep(lease)
		require.NoError(tc, lead.Resign(tc.Context()))
		require.NotErrorIs(tc, context.Cause(lead.Context()), errDisk)
	})
}
