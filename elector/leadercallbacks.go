package elector

import (
	"context"

	"github.com/fdbelection/fdbelection/internal/machine"
)

// LeaderCallbacks have the shape of the callbacks of Kubernetes client-go
// (leaderelection.LeaderCallbacks), for code that is written for them. Each may be nil.
//
// They differ from client-go as follows:
//
//   - OnStoppedLeading is called after OnStartedLeading has returned, and only if
//     OnStartedLeading was called. In client-go it may be called while OnStartedLeading
//     still runs, and also if the process never led.
//   - Leadership is released after both have returned. They have the time of
//     Options.DrainLimit, or the grace if a challenger waits. client-go with
//     ReleaseOnCancel releases as soon as the context ends.
//   - After a loss the process campaigns again, so each tenure has its pair of calls.
//     client-go ends after the first loss. OnStoppedLeading should not exit the process:
//     that would keep leadership until the lease expires. End the context of
//     RunCallbacks instead.
//   - OnNewLeader is called for one leader after the other, in order. In client-go the
//     calls may run concurrently.
type LeaderCallbacks struct {
	// OnStartedLeading is called when this process leads. Its context ends when the
	// process stops leading. As in client-go, it may do its work and return then, or
	// return at once and leave work behind that ends with the context. Leadership goes on
	// in both cases. OnStoppedLeading has to wait for work that was left behind.
	OnStartedLeading func(context.Context)
	// OnStoppedLeading is called once for each call of OnStartedLeading, after leadership
	// has ended and OnStartedLeading has returned.
	OnStoppedLeading func()
	// OnNewLeader is called with the id of the first leader that is seen, and whenever the
	// id of the leader changes. It is not called for a vacancy or for another tenure of
	// the same id.
	OnNewLeader func(identity string)
}

// RunCallbacks is Run for code that is written for client-go's leaderelection. It
// campaigns, calls back, and campaigns again after each loss, until ctx ends. Then it
// leaves, and returns after the last callback has returned.
//
// OnStartedLeading and OnStoppedLeading run in the caller's goroutine, and OnNewLeader in
// a goroutine of its own. A panic of one of the first two passes through RunCallbacks, and
// the elector leaves in the background. OnStoppedLeading is called even if
// OnStartedLeading panics.
//
// It returns the same errors as Run.
func (e *Elector) RunCallbacks(ctx context.Context, callbacks LeaderCallbacks) error {
	s, err := e.open(ctx, working, machine.Campaign)
	if err != nil {
		return err
	}
	returned, stop := s.notifyNewLeaders(ctx, callbacks.OnNewLeader)
	defer func() {
		stop()
		<-returned
	}()
	return s.workUntilDone(ctx, callbacks.lead)
}

// notifyNewLeaders calls onNewLeader in a goroutine of its own until the session is over
// or stop is called. It closes returned after the last call.
func (s *session) notifyNewLeaders(ctx context.Context, onNewLeader func(string)) (returned <-chan struct{}, stop func()) {
	ctx, stop = context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	leaders := s.subscription()
	if onNewLeader == nil || leaders == nil {
		close(done)
		return done, stop
	}
	go func() {
		defer close(done)
		defer s.elector.broadcaster.remove(leaders)
		last := ""
		for {
			leader, ok := leaders.next(ctx)
			switch {
			case !ok:
				return
			case leader.Vacant() || !leader.Accepted || leader.ID == last:
				continue
			}
			last = leader.ID
			made := s.elector.lanes.begin(call{name: "OnNewLeader"}, s.clock.Now())
			onNewLeader(leader.ID)
			s.elector.lanes.returned(made)
		}
	}()
	return done, stop
}

// subscription returns a new subscription, or nil if the session is over.
func (s *session) subscription() *subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil
	}
	return s.elector.broadcaster.add()
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
