package election

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// WaitLeader waits until a leader stands that has accepted and whose lease is live, and
// returns its record. It is for a process without an elector, such as a client that needs
// the address of the leader. Unlike the other methods it runs its own transactions, which
// write nothing.
//
// The newest read decides, so a leader that a read has seen displaced is never returned. By
// observation, a first read cannot know if the leader is alive. WaitLeader then reads on until
// it sees the next renewal, which takes at most about one heartbeat interval. It waits on a
// watch of the tenure, with a timer beside it. By clock, the first read decides.
//
// The answer may be out of date at once, and is not a fence.
//
// If ctx ends, WaitLeader returns an *UnsettledError that matches the cause of ctx. It also
// returns ErrNotInitialized, ErrInvalidState, and each error of the store that
// db.Transact does not retry.
func (e *LeaderElection) WaitLeader(ctx context.Context, db kv.Database) (LeaderRecord, error) {
	w := leaderWait{election: e, db: db}
	defer w.endWatch()
	var seen Freshness
	last := &UnsettledError{Problem: "the store has not answered yet"}
	for {
		status, err := w.read(ctx)
		if err == nil {
			seen = seen.Next(status.Leader, w.start)
			unsettled, ok := errors.AsType[*UnsettledError](seen.Settled(status.Config.Expiry, status.Leader, e.clock.Wall(), e.clock.Now()))
			if !ok {
				return status.Leader, nil
			}
			last = unsettled
			err = w.wait(ctx, &status)
		}
		switch {
		case err == nil:
		case ctx.Err() == nil:
			return LeaderRecord{}, err
		case kv.CodeOf(err) != 0:
			last.Err = fmt.Errorf("%w: %w", context.Cause(ctx), err)
			return LeaderRecord{}, last
		default:
			last.Err = context.Cause(ctx)
			return LeaderRecord{}, last
		}
	}
}

// leaderWait is one call of WaitLeader.
type leaderWait struct {
	election *LeaderElection
	db       kv.Database
	start    time.Time // when the last attempt to read began
	watch    kv.Watch  // of the tenure; nil: it is armed with the next read
}

// read reads the status, and arms the watch unless it is armed.
func (w *leaderWait) read(ctx context.Context) (Status, error) {
	if w.watch != nil {
		return kv.ReadTransact(ctx, w.db, func(tr kv.ReadTransaction) (Status, error) {
			w.start = w.election.clock.Now()
			return w.election.ReadStatus(tr)
		})
	}
	var watch kv.Watch
	status, err := kv.Transact(ctx, w.db, func(tr kv.Transaction) (Status, error) {
		w.start = w.election.clock.Now()
		watch = w.election.Watch(tr)
		return w.election.ReadStatus(tr)
	})
	if err == nil {
		w.watch = watch
	}
	return status, err
}

// wait waits until there may be a new answer: until the tenure changes, or for one interval.
// If leadership is held, that is a tenth of a heartbeat interval, because the watch does
// not fire at a renewal.
func (w *leaderWait) wait(ctx context.Context, status *Status) error {
	interval := status.Config.HeartbeatInterval
	if !status.Leader.Vacant() {
		interval = max(interval/10, time.Millisecond)
	}
	timers := timers(w.election.clock.AfterFunc)
	fired, err := clock.Await(ctx, timers, interval, w.watch.Done())
	if err != nil || !fired {
		return err
	}
	failed := w.watch.Err() != nil
	w.endWatch()
	if failed { // do not arm it again at once
		_, err = clock.Await(ctx, timers, interval, nil)
	}
	return err
}

// endWatch cancels the watch, so that the next read arms another one.
func (w *leaderWait) endWatch() {
	if w.watch != nil {
		w.watch.Cancel()
		w.watch = nil
	}
}

// timers makes a Clock.AfterFunc usable for package clock.
type timers func(d time.Duration, f func()) (stop func() bool)

func (t timers) AfterFunc(d time.Duration, f func()) stopper { return t(d, f) }

type stopper func() bool

func (s stopper) Stop() bool { return s() }
