package elector

import (
	"context"

	"github.com/fdbelection/fdbelection/internal/machine"
)

// LeaderCallbacks have the shape of those of Kubernetes client-go, in its package
// leaderelection, for code that is written for them. Each may be nil.
//
// What differs from there:
//
//   - OnStoppedLeading is called after OnStartedLeading has returned, and only
//     then: there it may be called while OnStartedLeading still runs, and is called
//     as well by a process that never led.
//   - The seat is given up only after both have returned: there it is, with
//     ReleaseOnCancel, as soon as the context ends, whatever still runs. They have
//     the time of Options.DrainLimit, or the grace where a challenger waits.
//   - After a loss the process campaigns again, so a pair of calls comes for each
//     tenure: there it is over after the first. OnStoppedLeading need not and
//     should not exit the process: what exits in it leaves the seat taken until its
//     lease is over. Ending the context of RunCallbacks leaves in order.
//   - OnNewLeader is called for one leader after the other, in order: there the
//     calls run beside each other.
type LeaderCallbacks struct {
	// OnStartedLeading is called when this process leads, and its context ends when
	// it does so no longer. As there it may return at once and leave work behind
	// that ends with the context, or do the work and return then: leadership goes
	// on in either case. What was left behind OnStoppedLeading has to wait for.
	OnStartedLeading func(context.Context)
	// OnStoppedLeading is called once for each OnStartedLeading, when leadership has
	// ended and OnStartedLeading has returned.
	OnStoppedLeading func()
	// OnNewLeader is called with the id of the first leader that is seen, and
	// whenever another one leads, this process included. A vacancy is no leader, nor
	// is the same id in another tenure a new one.
	OnNewLeader func(identity string)
}

// RunCallbacks is Run for code that is written for client-go's leaderelection: it
// campaigns, calls back, and campaigns again after each loss, until ctx ends. Then
// it leaves, and returns after the last callback has returned.
//
// OnStartedLeading and OnStoppedLeading run in the goroutine of the caller,
// OnNewLeader in one of its own. A panic of one of the first two passes through
// RunCallbacks, which then leaves in the background; the second one is called also
// where the first one panics.
//
// It returns what Run does: nil when it has left in order.
func (e *Elector) RunCallbacks(ctx context.Context, callbacks LeaderCallbacks) error {
	s, err := e.open(ctx, working, machine.Campaign)
	if err != nil {
		return err
	}
	told, stop := s.notifyNewLeaders(ctx, callbacks.OnNewLeader)
	defer func() {
		stop()
		<-told
	}()
	return s.run(ctx, callbacks.lead)
}

// notifyNewLeaders tells of new leaders, in a goroutine of its own, until the session is over
// or it is stopped, and all that were seen until then are told of.
func (s *session) notifyNewLeaders(ctx context.Context, onNewLeader func(string)) (told <-chan struct{}, stop func()) {
	ctx, stop = context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	seats := s.subscribe()
	if onNewLeader == nil || seats == nil {
		close(done)
		return done, stop
	}
	go func() {
		defer close(done)
		defer s.elector.hub.leave(seats)
		last := ""
		for {
			leader, ok := seats.next(ctx)
			switch {
			case !ok:
				return
			case leader.Vacant() || !leader.Accepted || leader.ID == last:
				continue
			}
			last = leader.ID
			onNewLeader(leader.ID)
		}
	}()
	return done, stop
}

// subscribe is what the session sees of the seat; nil where the session is over.
func (s *session) subscribe() *subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil
	}
	return s.elector.hub.join()
}

// lead is the work of one tenure.
func (c *LeaderCallbacks) lead(ctx context.Context, _ *Leadership) error {
	if c.OnStoppedLeading != nil {
		defer c.OnStoppedLeading()
	}
	if c.OnStartedLeading != nil {
		c.OnStartedLeading(ctx)
	}
	<-ctx.Done()
	return nil
}
