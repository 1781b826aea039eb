package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// waitInterval is the longest time between two reads of a wait, and between two updates of
// its progress bar.
const waitInterval = 250 * time.Millisecond

// errWaitOver says that the timeout of a wait has passed.
var errWaitOver = errors.New("it did not happen in time")

// waitFor reads the election until check returns true or fails: at once, at every change
// of the tenure or the request, and on a timer. It returns errWaitOver when limit has
// passed, after at least one read. waiting is the text of the progress bar.
func waitFor(ctx context.Context, s *session.Session, limit time.Duration, waiting string, check func(election.Status) (bool, error)) error {
	over, cancel := clock.WithTimeout(ctx, s.Program.Clock, limit)
	defer cancel()
	p := s.Program.NewProgress()
	defer p.Done()
	begin := s.Program.Clock.Now()
	for {
		done, err := readAndWait(ctx, over, s, check)
		switch {
		case done:
			return nil
		case ctx.Err() != nil:
			return context.Canceled
		case err != nil:
			return err
		case over.Err() != nil:
			return errWaitOver
		}
		passed := s.Program.Clock.Now().Sub(begin)
		p.Show(fmt.Sprintf("%s: %s of at most %s", waiting, output.Age(passed), limit), int64(passed), int64(limit))
	}
}

// readAndWait reads once, and then waits until there may be a change, or until the wait is
// over.
func readAndWait(ctx, over context.Context, s *session.Session, check func(election.Status) (bool, error)) (bool, error) {
	ctx, cancel := context.WithCancelCause(ctx) // it ends the watches
	defer cancel(context.Canceled)
	late := s.Program.Clock.AfterFunc(s.Access.Timeout, func() { cancel(context.DeadlineExceeded) })
	var term, request kv.Watch
	state, err := kv.Transact(ctx, s.Database, func(tr kv.Transaction) (election.Status, error) {
		term, request = s.Election.Watch(tr), s.Election.WatchRequest(tr)
		return s.Election.ReadStatus(tr)
	})
	late.Stop() // the watches live longer
	if err != nil {
		return false, s.Access.Explain(err)
	}
	defer term.Cancel()
	defer request.Cancel()
	if done, err := check(state); done || err != nil {
		return done, err
	}
	tick := make(chan struct{})
	interval := min(waitInterval, max(state.Config.HeartbeatInterval/10, 10*time.Millisecond)) // renewals are not further apart
	timer := s.Program.Clock.AfterFunc(interval, func() { close(tick) })
	defer timer.Stop()
	select {
	case <-term.Done():
		err = term.Err()
	case <-request.Done():
		err = request.Err()
	case <-tick:
	case <-over.Done():
	}
	if err != nil { // a failing watch must not cause a busy loop
		select {
		case <-tick:
		case <-over.Done():
		}
	}
	return false, nil
}

// awaitVacancy waits until leadership is vacant.
func (a *app) awaitVacancy(ctx context.Context, x *session.Access, limit time.Duration) error {
	s, err := a.OpenElection(ctx, x, true)
	if err != nil {
		return err
	}
	defer s.End()
	var last election.Status
	err = waitFor(ctx, s, limit, "waiting for the leader to give up leadership", func(state election.Status) (bool, error) {
		last = state
		return state.Leader.Vacant(), nil
	})
	if errors.Is(err, errWaitOver) {
		return exit.TimedOut(fmt.Errorf("%s still holds leadership after %s: it may have died (see \"fdbelect resign --force\"), or its lease is longer than the --timeout",
			last.Leader.Identity, limit))
	}
	return err
}

// sameTenure reports whether two records are of one tenure that continues.
func sameTenure(a, b election.LeaderRecord) bool { return !a.Vacant() && a.Token() == b.Token() }

// leaderText names the leader by the record, as the end of a sentence.
func leaderText(l election.LeaderRecord) string {
	if l.Vacant() {
		return "no candidate leads"
	}
	return fmt.Sprintf("%s leads in term %d%s", l.Identity, l.Term, records.PendingText(l.Accepted))
}
