package campaign

import (
	"context"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// arming registers a watch, and reports whether there is something to attend to
// now: what came before the watch does not fire it.
type arming func(tr kv.Transaction) (watch kv.Watch, now bool, err error)

// watchTerm calls for a look whenever the tenure has changed, or may have while
// nobody watched: a look costs one read.
func (l *loop) watchTerm() (stop func()) {
	return l.watch(l.terms, l.terms, func(tr kv.Transaction) (kv.Watch, bool, error) {
		return l.election.Watch(tr), true, nil
	})
}

// watchIntent calls for a renewal where something is asked of the leader: that
// costs a write, so it is read first.
func (l *loop) watchIntent() (stop func()) {
	return l.watch(nil, l.intents, func(tr kv.Transaction) (kv.Watch, bool, error) {
		watch := l.election.WatchIntent(tr)
		intent, err := l.election.ReadIntent(tr)
		return watch, intent.Kind != election.NoIntent, err
	})
}

// watch arms a watch again and again, until the returned function is called. It
// calls for attention on fired (nil: not) when the watch has, and on there when
// arm says so. A watch that fails, or fires all the time, is
// armed again at a limited rate; a timer stands beside it anyway.
func (l *loop) watch(fired, there chan<- struct{}, arm arming) (stop func()) {
	ctx, stop := context.WithCancel(l.ctx)
	gap, slow := step(l.config.HeartbeatInterval), l.config.HeartbeatInterval
	l.watchers.Go(func() {
		wake := make(chan struct{}, 1)
		pause := l.Clock.AfterFunc(atOnce, func() { call(wake) })
		defer pause.Stop()
		for {
			select {
			case <-wake:
			case <-ctx.Done():
				return
			}
			armed := l.Clock.Now()
			if err := l.watchOnce(ctx, fired, there, arm); err != nil {
				pause.Reset(slow)
			} else {
				pause.Reset(max(atOnce, gap-l.Clock.Now().Sub(armed))) // what stood for long may be armed at once
			}
		}
	})
	return stop
}

// watchOnce arms a watch and waits until it has fired or failed.
func (l *loop) watchOnce(ctx context.Context, fired, there chan<- struct{}, arm arming) error {
	limited, cancel := l.Clock.WithTimeout(ctx, l.Config.LeaseDuration)
	defer cancel()
	var watch kv.Watch
	var now bool
	err := l.db.Transact(limited, func(tr kv.Transaction) (err error) {
		if watch != nil {
			watch.Cancel()
		}
		watch, now, err = arm(tr)
		return err
	})
	if watch != nil {
		defer watch.Cancel()
	}
	if err != nil {
		return err
	}
	if now {
		call(there)
	}
	select {
	case <-watch.Done():
		call(fired)
	case <-ctx.Done():
	}
	return watch.Err()
}

// call leaves a call for attention, or lets the one that is there stand. A nil
// channel hears nothing.
func call(attention chan<- struct{}) {
	select {
	case attention <- struct{}{}:
	default:
	}
}
