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

// opened is the store of a watch. If it fails, the watch retries. If no retry can help, it opens
// the store again.
type opened struct {
	*session.Program
	access  *session.Access
	open    *session.Session // nil: open the store with the next read
	problem string           // why the last read failed, or empty
}

// watcher reads an election again and again: as soon as a watch of the store reports a change
// of the leadership or of a candidate, and on a timer.
type watcher struct {
	*opened
	tracker
}

// reader reads again and again. U is the result of a read.
type reader[U any] struct {
	*opened
	// read reads once. The watches fire at the next change.
	read func(ctx context.Context, stop context.CancelCauseFunc) (U, armed)
	// heartbeat returns the interval of heartbeats, or 0 if it is not known.
	heartbeat func() time.Duration
	pushed    time.Time // when the last read for a change of a candidate was due, on the monotonic clock
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
	// minReadGap limits how often watches can cause a read. Changes of candidates, and those of
	// a group, cause one at most once per tenth of a heartbeat.
	minReadGap     = 10 * time.Millisecond
	gapOfHeartbeat = 10
)

// run reads until ctx ends, and sends what it finds.
func (r *reader[U]) run(ctx context.Context, updates chan<- U) {
	defer close(updates)
	defer func() {
		if r.open != nil {
			r.open.End()
		}
	}()
	for ctx.Err() == nil {
		watched, stop := context.WithCancelCause(ctx) // the watch lives longer than the transaction
		u, watches := r.read(watched, stop)
		if ctx.Err() != nil {
			watches.cancel()
			stop(nil)
			return
		}
		select {
		case updates <- u:
		case <-ctx.Done():
		}
		r.wait(ctx, &watches)
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

// heartbeat returns the heartbeat interval of the election, or 0 if it is not known.
func (w *watcher) heartbeat() time.Duration {
	if w.last == nil || w.problem != "" {
		return 0
	}
	return w.last.Config.HeartbeatInterval
}

// snapshot reads the election, and sets the watches in the same transaction.
func (w *watcher) snapshot(ctx context.Context, stop context.CancelCauseFunc) (*records.Snapshot, armed, error) {
	return readArmed(ctx, w.opened, stop, func(s *session.Session, tr kv.Transaction) (*records.Snapshot, armed, error) {
		watches := armed{s.Election.Watch(tr), s.Election.WatchCandidates(tr)}
		read, err := records.ReadSnapshot(s.Election, tr)
		return read, watches, err
	})
}

// readArmed runs fn in a transaction, within the timeout, and returns the watches that it has set.
func readArmed[T any](ctx context.Context, o *opened, stop context.CancelCauseFunc, fn func(s *session.Session, tr kv.Transaction) (T, armed, error)) (T, armed, error) {
	var none T
	timer := o.Clock.AfterFunc(o.access.Timeout, func() { stop(context.DeadlineExceeded) })
	defer timer.Stop()
	if o.open == nil {
		s, err := o.OpenNamed(ctx, o.access)
		if err != nil {
			return none, armed{}, err
		}
		o.open = s
	}
	var watches armed
	read, err := kv.Transact(ctx, o.open.Database, func(tr kv.Transaction) (read T, err error) {
		watches.cancel() // of the previous attempt
		read, watches, err = fn(o.open, tr)
		return read, err
	})
	if err == nil {
		return read, watches, nil
	}
	watches.cancel()
	if o.Permanent(err) {
		o.open.End()
		o.open = nil
	}
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) && !errors.Is(err, fdbelection.ErrNotInitialized) {
		err = context.DeadlineExceeded
	}
	return none, armed{}, err
}

// wait waits until the next read is due. A watch that fails does not cause a read.
func (r *reader[U]) wait(ctx context.Context, watches *armed) {
	interval, gap := maxReadInterval, minReadGap // gap is that between two reads for candidates
	if heartbeat := r.heartbeat(); heartbeat > 0 {
		interval = min(max(heartbeat/2, minReadInterval), maxReadInterval)
		gap = heartbeat / gapOfHeartbeat
	}
	due, begin := make(chan struct{}), r.Clock.Now()
	timer := r.Clock.AfterFunc(interval, func() { close(due) })
	defer timer.Stop()
	leadership, candidates := fired(watches.leadership), fired(watches.candidates)
	for {
		select {
		case <-leadership:
			if watches.leadership.Err() == nil {
				_ = clock.Sleep(ctx, r.Clock, minReadGap) // the caller sees the end of ctx
				return
			}
			leadership = nil
		case <-candidates:
			now := r.Clock.Now()
			soon := max(r.pushed.Add(gap).Sub(now), minReadGap)
			if watches.candidates.Err() == nil && soon < interval-now.Sub(begin) {
				r.pushed = now.Add(soon)
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
