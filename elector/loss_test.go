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

// The cause of a Leadership that ended says which tenure it was, why it ended, what the
// store failed with, and when it was last renewed.
func TestCauseOfLoss(t *testing.T) {
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
			_ = lead.Context().Err() // found out by the clock, before any event
		}},
		"deposed": {elector.ReasonLeadershipLost, nil, func(tc *cluster, _ *process, lead *elector.Leadership) {
			tc.transact(func(tr kv.Transaction) error { return tc.election.ResignLeadership(tr, lead.Token(), time.Now()) })
		}},
		"asked to resign": {elector.ReasonAskedToResign, nil, func(tc *cluster, _ *process, lead *elector.Leadership) {
			tc.transact(func(tr kv.Transaction) error { return tc.election.RequestResign(tr, lead.Term(), nonce(1)) })
		}},
		"disabled": {elector.ReasonDisabled, nil, func(tc *cluster, _ *process, _ *elector.Leadership) {
			tc.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
		}},
		"demoted": {elector.ReasonDemoted, nil, func(tc *cluster, p *process, _ *elector.Leadership) {
			require.NoError(tc, p.SetRole(election.Observer))
		}},
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

// A failure of the store that has passed is not named as the cause of a later loss.
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
