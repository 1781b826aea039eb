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
func TestLossSaysWhy(t *testing.T) {
	for name, test := range map[string]struct {
		reason elector.Reason
		err    error
		lose   func(w *world, p *process, lead *elector.Leadership)
	}{
		"the store fails": {elector.ReasonUnrenewed, errDisk, func(w *world, _ *process, _ *elector.Leadership) {
			w.before(of("a", fail(errDisk)))
		}},
		"the store hangs": {elector.ReasonUnrenewed, context.DeadlineExceeded, func(w *world, _ *process, _ *elector.Leadership) {
			w.before(of("a", hang))
		}},
		"the machine was suspended": {elector.ReasonUnrenewed, nil, func(_ *world, p *process, lead *elector.Leadership) {
			p.clock.suspend(lease)
			_ = lead.Context().Err() // found out by the clock, before any event
		}},
		"deposed": {elector.ReasonLeadershipLost, nil, func(w *world, _ *process, lead *elector.Leadership) {
			w.transact(func(tr kv.Transaction) error { return w.election.ResignLeadership(tr, lead.Token(), time.Now()) })
		}},
		"asked to resign": {elector.ReasonAskedToResign, nil, func(w *world, _ *process, lead *elector.Leadership) {
			w.transact(func(tr kv.Transaction) error { return w.election.RequestResign(tr, lead.Term(), nonce(1)) })
		}},
		"disabled": {elector.ReasonDisabled, nil, func(w *world, _ *process, _ *elector.Leadership) {
			w.reconfigure(func(c *fdbelection.Config) { c.ElectionEnabled = false })
		}},
		"demoted": {elector.ReasonDemoted, nil, func(w *world, p *process, _ *elector.Leadership) {
			require.NoError(w, p.SetRole(election.Observer))
		}},
		"resigned": {elector.ReasonWorkReturned, nil, func(w *world, _ *process, lead *elector.Leadership) {
			require.NoError(w, lead.Resign(w.Context()))
		}},
		"stopped": {elector.ReasonStopped, nil, func(_ *world, p *process, _ *elector.Leadership) {
			go func() { _ = p.Stop(context.Background()) }()
		}},
		"a duplicate id": {elector.ReasonFailed, fdbelection.ErrDuplicateID, func(w *world, _ *process, _ *elector.Leadership) {
			newer := election.Registration{Identity: election.Identity{ID: "a", Incarnation: uuid.UUID{9}}}
			w.transact(func(tr kv.Transaction) error { return w.election.RegisterCandidate(tr, newer, time.Now()) })
		}},
		"abandoned": {elector.ReasonFailed, nil, func(_ *world, p *process, _ *elector.Leadership) { p.Abandon() }},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				p := w.process("a")
				lead, err := p.Campaign(w.Context())
				require.NoError(w, err)
				time.Sleep(3*heartbeat + heartbeat/2)
				renewed := w.start.Add(3 * heartbeat)
				test.lose(w, p, lead)
				<-lead.Context().Done()
				loss, ok := errors.AsType[*elector.LossError](context.Cause(lead.Context()))
				require.True(w, ok, "%v", context.Cause(lead.Context()))
				require.Equal(w, test.reason, loss.Reason)
				require.EqualValues(w, 1, loss.Term)
				require.WithinDuration(w, renewed, loss.Renewed, heartbeat+soon)
				require.False(w, loss.Renewed.Before(renewed.Add(-soon)), "%s", loss.Renewed)
				require.ErrorIs(w, loss, fdbelection.ErrNotLeader)
				if test.err != nil {
					require.ErrorIs(w, loss, test.err)
				}
				for _, part := range []string{"term 1", string(test.reason)} {
					require.Contains(w, loss.Error(), part)
				}
				require.NotContains(w, loss.Error(), "\n")
				_ = lead.Resign(w.Context())
				require.Error(w, lead.LeaseContext().Err())
				require.Same(w, loss, context.Cause(lead.LeaseContext()))
				w.before(nil)
			})
		})
	}
}

// A failure of the store that has passed is not named as the cause of a later loss.
func TestLossDoesNotNameAPastFailure(t *testing.T) {
	inWorld(t, func(w *world) {
		p := w.process("a")
		lead, err := p.Campaign(w.Context())
		require.NoError(w, err)
		w.before(of("a", fail(errDisk)))
		time.Sleep(heartbeat + step)
		w.before(nil)
		time.Sleep(lease)
		require.NoError(w, lead.Resign(w.Context()))
		require.NotErrorIs(w, context.Cause(lead.Context()), errDisk)
	})
}
