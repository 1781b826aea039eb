package campaign

import (
	"context"

	"github.com/fdbelection/fdbelection/kv"
)

// watch calls for attention whenever what arm asks about has changed, until
// the returned function is called. A watch that fails, or fires all the time, is
// armed again at a limited rate; a timer stands beside it anyway.
func (l *loop) watch(attention chan<- struct{}, arm func(tr kv.Transaction) kv.Watch) (stop func()) {
	ctx, stop := context.WithCancel(l.ctx)
	gap, slow := step(l.config.HeartbeatInterval), l.config.HeartbeatInterval
	l.watchers.Go(func() {
		wake := make(chan struct{}, 1)
		pause := l.Clock.AfterFunc(0, func() { call(wake) })
		defer pause.Stop()
		for again := false; ; again = true {
			select {
			case <-wake:
			case <-ctx.Done():
				return
			}
			if err := l.watchOnce(ctx, attention, arm, again); err != nil {
				pause.Reset(slow)
			} else {
				pause.Reset(gap)
			}
		}
	})
	return stop
}

// watchOnce arms a watch and waits until it has fired or failed.
func (l *loop) watchOnce(ctx context.Context, attention chan<- struct{}, arm func(tr kv.Transaction) kv.Watch, again bool) error {
	arming, cancel := l.Clock.WithTimeout(ctx, l.Config.LeaseDuration)
	defer cancel()
	var watch kv.Watch
	err := l.db.Transact(arming, func(tr kv.Transaction) error {
		if watch != nil {
			watch.Cancel()
		}
		watch = arm(tr)
		return nil
	})
	if watch != nil {
		defer watch.Cancel()
	}
	if err != nil {
		return err
	}
	if again {
		call(attention) // for what changed while nobody watched
	}
	select {
	case <-watch.Done():
	case <-ctx.Done():
		return nil
	}
	call(attention)
	return watch.Err()
}

// call leaves a call for attention, or lets the one that is there stand.
func call(attention chan<- struct{}) {
	select {
	case attention <- struct{}{}:
	default:
	}
}
