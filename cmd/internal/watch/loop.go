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

// watcher looks at an election again and again: as soon as a watch says that the
// tenure has changed, and after a while anyway. It outlives the store: it goes on
// trying, and opens it anew where no retry can help.
type watcher struct {
	*session.Program
	access *session.Access
	open   *session.Session // nil while the store could not be opened anew
	tracker
	trouble string // what was told last of it
}

// update is what a look has found.
type update struct {
	sight   *records.Snapshot // nil where there was nothing to see
	seen    time.Time         // when the look returned, on the monotonic clock
	seat    election.Observation
	pulses  map[string]pulse
	news    []news
	trouble string // empty: all is well
}

const (
	// Between two looks, without a watch that fires: half of a heartbeat, so that
	// no renewal is missed, within these bounds.
	minLookInterval = 50 * time.Millisecond
	maxLookInterval = time.Second
	// minLookGap bounds how often watches alone can cause looks.
	minLookGap = 10 * time.Millisecond
)

// run looks until ctx ends, and hands over what it finds.
func (w *watcher) run(ctx context.Context, updates chan<- update) {
	defer close(updates)
	defer func() {
		if w.open != nil {
			w.open.End()
		}
	}()
	for ctx.Err() == nil {
		watched, stop := context.WithCancelCause(ctx) // it outlives the transaction, as the watch does
		u, watch := w.turn(watched, stop)
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

// turn looks once.
func (w *watcher) turn(ctx context.Context, stop context.CancelCauseFunc) (update, kv.Watch) {
	s, watch, err := w.look(ctx, stop)
	seen, wall := w.Clock.Now(), w.Clock.Wall()
	if err != nil {
		w.now, w.told = wall, nil
		if text := w.access.Explain(err).Error(); text != w.trouble {
			w.trouble = text
			w.tell(eventUnreadable, w.lastSeat(), none, text)
		}
		return update{news: w.told, trouble: w.trouble, seat: w.seat, pulses: w.pulses}, nil
	}
	var recovered []news
	if w.trouble != "" {
		w.now, w.told, w.trouble = wall, nil, ""
		w.tell(eventReadable, s.Leader, none, "the election can be read again")
		if w.last == nil {
			w.told[0].Reason = "the election can be read"
		}
		recovered = w.told
	}
	found := w.Next(s, seen, wall)
	return update{sight: s, seen: seen, seat: w.seat, pulses: w.pulses, news: append(recovered, found...)}, watch
}

func (w *watcher) lastSeat() election.LeaderRecord {
	if w.last == nil {
		return election.LeaderRecord{}
	}
	return w.last.Leader
}

// look reads the election, and registers a watch in the same transaction.
func (w *watcher) look(ctx context.Context, stop context.CancelCauseFunc) (*records.Snapshot, kv.Watch, error) {
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
			watch.Cancel() // of the attempt before
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

// wait waits for the next look.
func (w *watcher) wait(ctx context.Context, watch kv.Watch) {
	interval := maxLookInterval
	if w.last != nil && w.trouble == "" {
		interval = min(max(w.last.Config.HeartbeatInterval/2, minLookInterval), maxLookInterval)
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
			_ = clock.Sleep(ctx, w.Clock, minLookGap) // the end of ctx is seen by the caller
			return
		}
		select { // a watch that fails must not become a hot loop
		case <-due:
		case <-ctx.Done():
		}
	case <-due:
	case <-ctx.Done():
	}
}
