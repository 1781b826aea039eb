package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/integrations/bridge/internal/hold"
)

// limitInLeases is the default of Gate.Limit. A tenure of so many leases ends the row of failures
// of the elector, so the hold-off after it is one lease and not up to 32.
const limitInLeases = 32

// defaultReleaseLimit is the default of Gate.ReleaseLimit. With it, work that stops at once leaves
// half of the default Options.DrainLimit of the elector.
const defaultReleaseLimit = 5 * time.Second

// Gate runs the work of an elector under the lock of the old fleet. Set its fields before Run and
// do not change them. It is for one elector.
type Gate struct {
	// Lock is the lock of the old fleet.
	Lock Lock
	// Limit is how long a leader waits for the old lock before it gives leadership up. Zero means 32
	// leases of the election. A limit that is shorter than the lease of the old lock never
	// outlasts an old leader that has crashed.
	Limit time.Duration
	// ReleaseLimit is how long the release of the old lock may take after the work has returned.
	// Leadership is released after it. Zero means 5 s.
	ReleaseLimit time.Duration
	// Logger gets a record when the gate waits, when it has acquired the lock, when the lock is
	// lost and when it cannot be released. Nil logs nothing.
	Logger *slog.Logger
	// Clock is the clock of the limits. Nil means elector.SystemClock.
	Clock elector.Clock

	now atomic.Pointer[tenure]
	// unreported is an error of the last tenure that the elector does not report.
	unreported error
}

// tenure is a tenure whose work may run.
type tenure struct {
	lead *elector.Leadership
	held Held
}

func (t *tenure) leads() bool { return t.lead.Leads() && t.held.Holds() }

// Leading reports whether this process leads and holds the old lock at the instant of the call, and
// its work runs. It does no I/O.
//
// Announce the leader by this call. Elector.Leading and the callbacks of the elector do not know the
// old lock: they say that this process leads while the gate waits, although an old process may
// work.
func (g *Gate) Leading() bool {
	t := g.now.Load()
	return t != nil && t.leads()
}

// Run is el.Run with the old lock around the work. In each tenure it acquires the lock, calls work,
// and releases the lock after work has returned. After that leadership is released.
//
// If the lock is not acquired within Limit, work is not called. Run gives leadership up and the
// elector holds off, as after failed work. Errors of the elector has a WorkError that matches
// ErrNotAcquired. If leadership ends while Run waits, it stops waiting, and a lock that comes late
// is released.
//
// If the lock is lost while work runs, the contexts of work and of its Leadership end at once,
// and Elector.Leading is false. The cause of the context of work is ErrLost. The elector reports a
// WorkError with that error when work has returned. Then this process campaigns again. Do nothing under
// Leadership.LeaseContext after that loss: it goes on until work returns, and so does the fence of
// the Leadership, because both know nothing of the old lock.
//
// If the lock cannot be released, the elector reports ErrNotReleased in the same way. If work has
// returned elector.ErrDone, Run returns that error, or ErrLost. If work panics, the lock is released
// before the panic passes through Run, and an error of that is only logged.
//
// Run returns the errors of Elector.Run.
func (g *Gate) Run(ctx context.Context, el *elector.Elector, work func(context.Context, *elector.Leadership) error) error {
	if g.Lock == nil || el == nil || work == nil {
		return errors.New("bridge: Run needs a Lock, an elector and work")
	}
	g.unreported = nil
	err := el.Run(ctx, func(ctx context.Context, lead *elector.Leadership) error {
		held, err := g.acquire(ctx, lead, g.limit(el))
		if err != nil {
			return err
		}
		return g.lead(ctx, &tenure{lead, held}, work)
	})
	return errors.Join(err, g.unreported)
}

func (g *Gate) limit(el *elector.Elector) time.Duration {
	if g.Limit > 0 {
		return g.Limit
	}
	return limitInLeases * el.ClusterState().Config.LeaseDuration
}

// acquire waits for the old lock. ctx is the context of the tenure.
func (g *Gate) acquire(ctx context.Context, lead *elector.Leadership, limit time.Duration) (Held, error) {
	g.log().Info("waiting for the old lock", "term", lead.Term(), "limit", limit.String())
	clock := hold.Clock(g.Clock)
	begun := clock.Now()
	waiting, stop := hold.Within(ctx, clock, limit)
	defer stop()
	held, err := g.Lock.Acquire(waiting)
	waited := clock.Now().Sub(begun)
	_ = ctx.Err() // sees a deadline that has passed before its timer has fired
	if err == nil && waiting.Err() == nil && waited < limit && held.Holds() {
		g.log().Info("acquired the old lock", "term", lead.Term(), "waited", waited.String())
		return held, nil
	}
	switch {
	case ctx.Err() != nil:
		err = errors.Join(context.Cause(ctx), err) // the elector reports more than a cause
	case waiting.Err() != nil || waited >= limit:
		err = errors.Join(fmt.Errorf("%w within %s", ErrNotAcquired, limit), err)
	case err != nil:
		err = fmt.Errorf("%w: %w", ErrNotAcquired, err)
	default:
		err = fmt.Errorf("%w: it was lost at once", ErrNotAcquired)
	}
	if held != nil { // it came too late
		if released := g.release(ctx, lead, held); released != nil {
			err = errors.Join(err, released)
		}
	}
	return nil, err
}

// lead runs the work of a tenure and releases the old lock after it.
func (g *Gate) lead(ctx context.Context, t *tenure, work func(context.Context, *elector.Leadership) error) (err error) {
	gated, end := newGated(ctx, t.held)
	returned, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-t.held.Lost():
			end(ErrLost)
			_ = t.lead.Resign(ctx) // asks the work to stop, and ends the contexts of the elector. It does not wait
		case <-returned:
		}
	}()
	g.now.Store(t)
	defer func() { // also if the work panics
		close(returned)
		<-watched
		g.now.Store(nil)
		var own error
		if !t.held.Holds() { // another process may have worked meanwhile
			own = ErrLost
			g.log().Warn("the old lock was lost before the work had returned", "term", t.lead.Term())
		}
		end(context.Canceled)
		own = errors.Join(own, g.release(ctx, t.lead, t.held))
		if own == nil {
			return
		}
		if errors.Is(err, elector.ErrDone) { // the elector reports no more errors
			g.unreported = own
			return
		}
		err = errors.Join(own, err)
	}()
	return work(gated, t.lead)
}

// release releases the old lock, also if leadership has ended.
func (g *Gate) release(ctx context.Context, lead *elector.Leadership, held Held) error {
	limit := g.ReleaseLimit
	if limit <= 0 {
		limit = defaultReleaseLimit
	}
	ctx, stop := hold.Within(context.WithoutCancel(ctx), hold.Clock(g.Clock), limit)
	defer stop()
	err := held.Release(ctx)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("%w: %w", ErrNotReleased, err)
	g.log().Warn("the old lock could not be released", "term", lead.Term(), "error", err)
	return err
}

func (g *Gate) log() *slog.Logger {
	if g.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return g.Logger
}

// gatedContext ends with leadership or with the old lock. Its Err compares the clock for both at
// each call, so a process that was suspended sees the end at once.
type gatedContext struct {
	context.Context
	lead context.Context
	held Held
	end  context.CancelCauseFunc
}

func newGated(lead context.Context, held Held) (context.Context, context.CancelCauseFunc) {
	ctx, end := context.WithCancelCause(lead)
	return &gatedContext{Context: ctx, lead: lead, held: held, end: end}, end
}

// Err returns nil until leadership or the old lock has ended.
func (c *gatedContext) Err() error {
	if c.lead.Err() == nil && !c.held.Holds() {
		c.end(ErrLost)
	}
	return c.Context.Err()
}
