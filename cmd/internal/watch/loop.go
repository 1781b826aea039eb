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

// watcher reads an election again and again: as soon as a watch of the store reports a change
// of the leadership or of a candidate, and on a timer. If the store fails, it retries. If no
// retry can help, it opens the store again.
type watcher struct {
	*session.Program
	access *session.Access
	open   *session.Session // nil: open the store with the next read
	tracker
	problem string    // why the last read failed, or empty
	pushed  time.Time // when the last read for a change of a candidate was due, on the monotonic clock
}

// armed are the watches of one read. Each is nil if it is not armed.
type armed struct{ leadership, candidates kv.Watch }

func (a *armed) cancel() {
	for _, watch := range []kv.Watch{a.leadership, a.candidates} {
		if watch != nil {
			watch.Cancel()
		}
	}
}

// fired returns the channel that a watch closes, or nil if it is not armed.
func fired(watch kv.Watch) <-chan struct{} {
	if watch == nil {
		return nil
	}
	return watch.Done()
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
	// minReadGap limits how often watches can cause a read. Changes of candidates cause one
	// at most once per tenth of a heartbeat.
	minReadGap     = 10 * time.Millisecond
	gapOfHeartbeat = 10
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
		u, watches := w.read(watched, stop)
		if ctx.Err() != nil {
			stop(nil)
			return
		}
		select {
		case updates <- u:
		case <-ctx.Done():
		}
		w.wait(ctx, &watches)
		watches.cancel()
		stop(nil)
	}
}

// read reads the election once. The watches fire at the next change of the leadership and
// of the candidates.
func (w *watcher) read(ctx context.Context, stop context.CancelCauseFunc) (update, armed) {
	s, watches, err := w.snapshot(ctx, stop)
	seen, wall := w.Clock.Now(), w.Clock.Wall()
	if err != nil {
		w.now, w.news = wall, nil
		if text := w.access.Explain(err).Error(); text != w.problem {
			w.problem = text
			w.report(eventUnreadable, w.lastLeader(), noCandidate, text)
		}
		return update{news: w.news, problem: w.problem, observation: w.observation, heartbeats: w.heartbeats}, armed{}
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
	return update{snapshot: s, seen: seen, observation: w.observation, heartbeats: w.heartbeats, news: append(recovered, found...)}, watches
}

func (w *watcher) lastLeader() election.LeaderRecord {
	if w.last == nil {
		return election.LeaderRecord{}
	}
	return w.last.Leader
}

// snapshot reads the election, and sets the watches in the same transaction.
func (w *watcher) snapshot(ctx context.Context, stop context.CancelCauseFunc) (*records.Snapshot, armed, error) {
	timer := w.Clock.AfterFunc(w.access.Timeout, func() { stop(context.DeadlineExceeded) })
	defer timer.Stop()
	if w.open == nil {
		s, err := w.OpenElection(ctx, w.access, true)
		if err != nil {
			return nil, armed{}, err
		}
		w.open = s
	}
	var watches armed
	s, err := kv.Transact(ctx, w.open.Database, func(tr kv.Transaction) (*records.Snapshot, error) {
		watches.cancel() // of the previous attempt
		watches = armed{w.open.Election.Watch(tr), w.open.Election.WatchCandidates(tr)}
		return records.ReadSnapshot(w.open.Election, tr)
	})
	if err == nil {
		return s, watches, nil
	}
	watches.cancel()
	if w.Permanent(err) {
		w.open.End()
		w.open = nil
	}
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) && !errors.Is(err, fdbelection.ErrNotInitialized) {
		err = context.DeadlineExceeded
	}
	return nil, armed{}, err
}

// wait waits until the next read is due. A watch that fails does not cause a read.
func (w *watcher) wait(ctx context.Context, watches *armed) {
	interval, gap := maxReadInterval, minReadGap // gap is that between two reads for candidates
	if w.last != nil && w.problem == "" {
		heartbeat := w.last.Config.HeartbeatInterval
		interval = min(max(heartbeat/2, minReadInterval), maxReadInterval)
		gap = heartbeat / gapOfHeartbeat
	}
	due, begin := make(chan struct{}), w.Clock.Now()
	timer := w.Clock.AfterFunc(interval, func() { close(due) })
	defer timer.Stop()
	leadership, candidates := fired(watches.leadership), fired(watches.candidates)
	for {
		select {
		case <-leadership:
			if watches.leadership.Err() == nil {
				_ = clock.Sleep(ctx, w.Clock, minReadGap) // the caller sees the end of ctx
				return
			}
			leadership = nil
		case <-candidates:
			now := w.Clock.Now()
			soon := max(w.pushed.Add(gap).Sub(now), minReadGap)
			if watches.candidates.Err() == nil && soon < interval-now.Sub(begin) {
				w.pushed = now.Add(soon)
				timer.Reset(soon)
			}
			candidates = nil
		case <-due:
			return
		case <-ctx.Done():
			return
		}
	}
}
