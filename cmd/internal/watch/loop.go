package watch

import (
	"context"
	"errors"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// watcher reads an election again and again: as soon as a watch of the store reports a
// change of the tenure, and on a timer. If the store fails, it retries. If no retry can
// help, it opens the store again.
type watcher struct {
	*session.Program
	access *session.Access
	open   *session.Session // nil: open the store with the next read
	tracker
	problem string // why the last read failed, or empty
}

// update is the result of one read.
type update struct {
	snapshot    *records.Snapshot // nil if the read failed
	seen        time.Time         // when the read returned, on the monotonic clock
	observation election.Observation
	heartbeats  map[string]heartbeat
	news        []news
	problem     string // why the read failed, or empty
}

const (
	// The time between two reads if no watch fires is half of a heartbeat, so that no
	// renewal is missed, within these limits.
	minReadInterval = 50 * time.Millisecond
	maxReadInterval = time.Second
	// minReadGap limits how often watches can cause a read.
	minReadGap = 10 * time.Millisecond
)

// run reads until ctx ends, and sends what it finds.
func (w *watcher) run(ctx context.Context, updates chan<- update) {
	defer close(updates)
	defer func() {
		if w.open != nil {
			w.open.End()
		}
	}()
	for ctx.Err() == nil {
		watched, stop := context.WithCancelCause(ctx) // the watch lives longer than the transaction
		u, watch := w.read(watched, stop)
		if ctx.Err() != nil {
			stop(nil)
			return
		}
		select {
		case updates <- u:
		case <-ctx.Done():
		}
		w.wait(ctx, watch)
		if watch != nil {
			watch.Cancel()
		}
		stop(nil)
	}
}

// read reads the election once. The watch fires at the next change of the tenure.
func (w *watcher) read(ctx context.Context, stop context.CancelCauseFunc) (update, kv.Watch) {
	s, watch, err := w.snapshot(ctx, stop)
	seen, wall := w.Clock.Now(), w.Clock.Wall()
	if err != nil {
		w.now, w.news = wall, nil
		if text := w.access.Explain(err).Error(); text != w.problem {
			w.problem = text
			w.report(eventUnreadable, w.lastLeader(), noCandidate, text)
		}
		return update{news: w.news, problem: w.problem, observation: w.observation, heartbeats: w.heartbeats}, nil
	}
	var recovered []news
	if w.problem != "" {
		w.now, w.news, w.problem = wall, nil, ""
		w.report(eventReadable, s.Leader, noCandidate, "the election can be read again")
		if w.last == nil {
			w.news[0].Reason = "the election can be read"
		}
		recovered = w.news
	}
	found := w.Next(s, seen, wall)
	return update{snapshot: s, seen: seen, observation: w.observation, heartbeats: w.heartbeats, news: append(recovered, found...)}, watch
}

func (w *watcher) lastLeader() election.LeaderRecord {
	if w.last == nil {
		return election.LeaderRecord{}
	}
	return w.last.Leader
}

// snapshot reads the election, and sets a watch in the same transaction.
func (w *watcher) snapshot(ctx context.Context, stop context.CancelCauseFunc) (*records.Snapshot, kv.Watch, error) {
	timer := w.Clock.AfterFunc(w.access.Timeout, func() { stop(context.DeadlineExceeded) })
	defer timer.Stop()
	if w.open == nil {
		s, err := w.OpenElection(ctx, w.access, true)
		if err != nil {
			return nil, nil, err
		}
		w.open = s
	}
	var watch kv.Watch
	s, err := kv.Transact(ctx, w.open.Database, func(tr kv.Transaction) (*records.Snapshot, error) {
		if watch != nil {
			watch.Cancel() // of the previous attempt
		}
		watch = w.open.Election.Watch(tr)
		return records.ReadSnapshot(w.open.Election, tr)
	})
	if err == nil {
		return s, watch, nil
	}
	if watch != nil {
		watch.Cancel()
	}
	if w.Permanent(err) {
		w.open.End()
		w.open = nil
	}
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) && !errors.Is(err, fdbelection.ErrNotInitialized) {
		err = context.DeadlineExceeded
	}
	return nil, nil, err
}

// wait waits until the next read is due.
func (w *watcher) wait(ctx context.Context, watch kv.Watch) {
	interval := maxReadInterval
	if w.last != nil && w.problem == "" {
		interval = min(max(w.last.Config.HeartbeatInterval/2, minReadInterval), maxReadInterval)
	}
	due := make(chan struct{})
	timer := w.Clock.AfterFunc(interval, func() { close(due) })
	defer timer.Stop()
	var fired <-chan struct{}
	if watch != nil {
		fired = watch.Done()
	}
	select {
	case <-fired:
		if watch.Err() == nil {
			_ = clock.Sleep(ctx, w.Clock, minReadGap) // the caller sees the end of ctx
			return
		}
		select { // a failing watch must not cause a busy loop
		case <-due:
		case <-ctx.Done():
		}
	case <-due:
	case <-ctx.Done():
	}
}
