package system

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fdbelection/fdbelection/internal/clock"
)

// contender is what differs between the candidates of the peers.
type contender interface {
	// acquire waits until the candidate leads.
	acquire(context.Context) error
	// hold keeps leadership until it is lost, or ctx ends.
	hold(context.Context)
	// release gives up whatever acquire has or may have taken. It returns when that is acknowledged.
	release(context.Context) error
}

// contest is a contender in a loop.
type contest struct {
	contender contender
	cancel    context.CancelFunc
	kill      func() // the process of the candidate
	done      chan struct{}
	err       error // of the last attempt to acquire, set before done is closed
}

// acquireDelay is the pause after an attempt that ended with an error.
const acquireDelay = 100 * time.Millisecond

// enter starts the campaign of a contender. kill must end what the process does, with all of its
// connections.
func enter(ctx context.Context, one contender, o Candidacy, kill func()) *contest {
	c := &contest{contender: one, kill: kill, done: make(chan struct{})}
	ctx, c.cancel = context.WithCancel(ctx)
	go func() {
		defer close(c.done)
		for ctx.Err() == nil {
			if c.err = one.acquire(ctx); c.err != nil {
				pause(ctx, acquireDelay)
				continue
			}
			if o.Lead != nil {
				o.Lead()
			}
			one.hold(ctx)
			if o.Lose != nil {
				o.Lose()
			}
		}
	}()
	return c
}

// Resign returns the error of the last attempt to lead, too: a candidate that never could is not
// fit for a measurement.
func (c *contest) Resign(ctx context.Context) error {
	c.cancel()
	<-c.done
	if errors.Is(c.err, context.Canceled) {
		c.err = nil // it waited
	}
	return errors.Join(c.err, c.contender.release(ctx))
}

func (c *contest) Crash() {
	c.kill()
	c.cancel()
	<-c.done
}

// pause waits. It returns early if ctx ends.
func pause(ctx context.Context, d time.Duration) { _ = clock.RealSleep(ctx, d) }

// The errors of an election that another candidate leads, from the start or since a while.
func taken(election string) error { return fmt.Errorf("another leads %s", election) }

func replaced(election string) error { return fmt.Errorf("the leader of %s was replaced", election) }

// byHand returns the renewal of Renewer. renew returns false if another has the lease.
func byHand(election string, renew func(context.Context) (bool, error)) func(context.Context) error {
	return func(ctx context.Context) error {
		held, err := renew(ctx)
		if err == nil && !held {
			err = replaced(election)
		}
		return err
	}
}

// lease is one that its holder renews.
type lease struct {
	interval time.Duration // between renewals
	// trust is how long after the begin of a renewal its holder believes in it. It is shorter than
	// the lease in the store, since clocks differ in speed.
	trust   time.Duration
	renewed func(time.Time)                     // or nil
	renew   func(context.Context) (bool, error) // false if another has the lease
}

// keep renews a lease that was taken at begun. It returns when the lease is lost, or ctx ends.
func (l *lease) keep(ctx context.Context, begun time.Time) {
	wait := l.interval
	l.tell(begun)
	for {
		deadline := begun.Add(l.trust)
		pause(ctx, min(wait, time.Until(deadline)))
		before := time.Now()
		if ctx.Err() != nil || !before.Before(deadline) {
			return
		}
		attempt, cancel := context.WithDeadline(ctx, deadline)
		held, err := l.renew(attempt)
		cancel()
		switch {
		case err != nil:
			wait = acquireDelay
		case !held:
			return
		default:
			begun, wait = before, l.interval
			l.tell(begun)
		}
	}
}

func (l *lease) tell(begun time.Time) {
	if l.renewed != nil {
		l.renewed(begun)
	}
}

// heartbeat returns the interval of the settings, or a third of the lease.
func (s Settings) heartbeat() time.Duration {
	if s.Heartbeat > 0 {
		return s.Heartbeat
	}
	return s.Lease / 3
}
