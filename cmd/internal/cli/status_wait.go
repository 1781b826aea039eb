package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// awaitLeader waits until a leader is settled, for at most --timeout, and returns the status
// that was read then. If the time is over, it returns the last status and why there is no
// settled leader.
func (a *app) awaitLeader(ctx context.Context, r *session.Report) (_ *status, late, err error) {
	limit := r.Timeout
	if limit > 0 {
		r.Timeout = max(limit, session.DefaultTimeout) // the store has its usual time, however short the wait is
	}
	s, err := a.OpenElection(ctx, &r.Access, true)
	if err != nil {
		return nil, nil, err
	}
	defer s.End()
	begin := a.Clock.Now()
	w := settling{clock: a.Clock, started: begin}
	for {
		err := waitFor(ctx, s, limit-a.Clock.Now().Sub(begin), "waiting for a settled leader", w.check)
		switch {
		case errors.Is(err, context.Canceled):
			return nil, nil, errors.New("interrupted before a leader was settled")
		case err != nil && !errors.Is(err, errWaitOver):
			return nil, nil, err
		}
		st, readErr := session.ReadTransact(ctx, s, func(tr kv.ReadTransaction) (*status, error) { return readStatus(s.Election, tr) })
		if readErr != nil {
			return nil, nil, readErr
		}
		settled := err == nil
		if settled && !sameTenure(st.record, w.leader) { // this read has seen it displaced
			continue
		}
		st.Settled, st.Waited = &settled, output.Duration(a.Clock.Now().Sub(begin))
		if !settled {
			late = exit.TimedOut(fmt.Errorf("no settled leader within %s: %s", limit, w.problem))
		}
		return st, late, nil
	}
}

// settling is a wait for a settled leader.
type settling struct {
	clock interface {
		Now() time.Time
		Wall() time.Time
	}
	started time.Time // an instant before the next read begins
	seen    election.Freshness
	leader  election.LeaderRecord // that was read last
	problem string                // why it is not settled
}

// check reports whether the leader of a status that was just read is settled.
func (w *settling) check(read election.Status) (bool, error) {
	w.leader = read.Leader
	w.seen = w.seen.Next(read.Leader, w.started)
	w.started = w.clock.Now()
	err := w.seen.Settled(read.Config.Expiry, read.Leader, w.clock.Wall(), w.started)
	if unsettled, ok := errors.AsType[*election.UnsettledError](err); ok {
		w.problem = unsettled.Problem
	}
	return err == nil, nil
}
