package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/notify"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/group/member"
	"github.com/fdbelection/fdbelection/monitor"
)

// leaveReserve is what run may need to end besides --pre-stop and --timeout.
const leaveReserve = 5 * time.Second

// tell tells the service manager how an elector or a member is, until stop is called. Its pings
// depend on Health, so they end if the loop hangs. A leader that cannot renew is not stuck: its work
// stops, and a restart would not bring the store back.
func (f *common) tell(ctx context.Context, m *notify.Manager, log *slog.Logger, one monitor.Participant, role func() (does string, ready bool)) (stop func()) {
	asked := whenDone(ctx, func() { m.Stopping(f.preStop + f.timeout + leaveReserve) })
	end := m.Follow(log, func() (now notify.State) {
		if err := one.Health(context.Background()); err != nil && !errors.Is(err, elector.ErrUnrenewed) {
			now.Stuck = err
			return now
		}
		if now.Does, now.Ready = role(); !now.Ready {
			now.Does = "starting, nothing was read from the store yet"
		}
		if err := one.Readiness(context.Background()); errors.Is(err, fdbelection.ErrNotReady) {
			now.Does += ", " + err.Error()
		}
		return now
	})
	return func() {
		asked()
		end()
	}
}

// roleOf returns what an elector is, in words.
func roleOf(el *elector.Elector) string {
	state := el.State()
	leader, known := el.Leader()
	switch {
	case state == elector.StateJeopardy:
		return fmt.Sprintf("leader, term %d, a renewal is overdue", el.Term())
	case state.Leads():
		return fmt.Sprintf("leader, term %d", el.Term())
	case known:
		return fmt.Sprintf("%s, %s leads, term %d", state, election.SafeText(leader.ID), leader.Term)
	default:
		return state.String() + ", no leader"
	}
}

// roleIn returns what a member is, in words, and whether it has read its group.
func roleIn(m *member.Member) (does string, ready bool) {
	s := m.Status()
	return fmt.Sprintf("%s, leads %d of %d shards", s.State, s.Leading, s.Shards), s.Synced
}
