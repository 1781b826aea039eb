package elector

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/internal/machine"
	"github.com/fdbelection/fdbelection/kv"
)

// Leadership is one tenure of this process. Its methods are safe for concurrent
// use, and do no I/O but for Resign.
type Leadership struct {
	leader   election.LeaderRecord
	election *election.LeaderElection
	session  *session

	ctx   *boundedContext // while it leads
	lease *boundedContext // while what is left of the lease may be used
	ofRun bool            // its work returns, and need not say so

	known atomic.Pointer[LossError] // of the present, in case it ends
	ended atomic.Pointer[LossError] // why it has ended

	timing sync.Mutex
	timer  Timer
	silent bool // the timer is not set again

	following sync.Mutex
	followers map[*func(Deadlines)]struct{}
	told      Deadlines

	// Guarded by the session.
	pending  int // what Returned waits for: the work, and the callbacks of the loss
	drained  bool
	finished bool          // the work is not waited for any more
	reported bool          // as not resigned
	overdue  Timer         // reports work of Run that goes on after its lease
	released chan struct{} // closed when the seat is given up, or else kept says why not
	kept     error
}

// Token returns the fencing token of the tenure.
func (l *Leadership) Token() election.Token { return l.leader.Token() }

// Term returns the number of the tenure: the fencing token for systems outside
// the database, which keep the highest that they saw and refuse lower ones.
func (l *Leadership) Term() uint64 { return l.leader.Term }

// Ballot returns the ballot with which the tenure was acknowledged here first.
func (l *Leadership) Ballot() uint64 { return l.leader.Ballot }

// Context ends when the process leads no longer: because the lease could not be
// renewed, another process holds the seat, or it is to be handed over or given up.
// Its cause is a *LossError, which says why. Work stops then. Transactions under this
// context fail from then on; what has to be finished is done under Lease.
//
// Err compares the clock at the call: a process that was suspended finds out at
// once, before any timer has run.
func (l *Leadership) Context() context.Context { return l.ctx }

// LeaseContext ends when nothing may be done any more on the authority of this tenure:
// at the end of belief, or of the time that the work had to stop. It outlives
// Context by what there is left to finish in: a fifth of the lease where it
// could not be renewed, the drain limit or the grace where the seat is given up,
// nothing where it is lost.
func (l *Leadership) LeaseContext() context.Context { return l.lease }

// Leads reports whether the process leads in this tenure, as of now.
func (l *Leadership) Leads() bool { return l.ctx.Err() == nil }

// Fence makes tr commit only if this tenure is the newest one, else it returns
// fdbelection.ErrFenced: see election.LeaderElection.RequireLeadership. Call it
// in every transaction that writes on the authority of leadership.
func (l *Leadership) Fence(tr kv.Transaction) error {
	return l.election.RequireLeadership(tr, l.Token())
}

// Resign says that the work of a Campaign has ended, has the seat given up, and
// waits until it is or ctx has ended. The giving up goes on in any case, and is
// tried again after errors. Call it after Context has ended too: it is how the
// elector learns that the work has ended, and another campaign need not wait for
// the end of Lease. After the end of Lease it changes nothing.
//
// Work of Run returns instead. There Resign asks the work to stop, and does not
// wait: the seat is given up once it has returned.
//
// Errors: the cause of ctx, and why the seat was not given up where the elector
// has stopped without: it is free after its lease then.
func (l *Leadership) Resign(ctx context.Context) error {
	if l.ofRun {
		l.session.post(machine.WorkReturning{Term: l.Term()})
		return nil
	}
	l.end(nil)
	select {
	case <-l.released:
		return l.kept
	default: // a context that has ended already decides only if there is something to wait for
	}
	select {
	case <-l.released:
		return l.kept
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// newLeadership begins a tenure in this process. It believes in nothing before
// believe is called.
func (s *session) newLeadership(values context.Context, leader election.LeaderRecord) *Leadership {
	l := &Leadership{
		leader: leader, election: s.elector.election, session: s,
		pending: 1, released: make(chan struct{}), ofRun: s.mode == working,
	}
	l.known.Store(&LossError{Term: leader.Term, Renewed: attempted(leader)})
	late := func() error { return l.loss(ReasonUnrenewed, nil) }
	l.ctx = newBounded(values, s.clock, late)
	l.lease = newBounded(values, s.clock, late)
	return l
}

// attempted returns when the attempt began that wrote a leader record, by the wall
// clock of the process that wrote it.
func attempted(leader election.LeaderRecord) time.Time {
	return leader.LeaseExpiry.Add(-leader.LeaseDuration)
}

// learn takes in the leader record and the trouble with the store, for the case that
// the tenure ends before either changes.
func (l *Leadership) learn(leader election.LeaderRecord, trouble error) {
	now := *l.known.Load()
	now.Err = trouble
	if leader.Token() == l.Token() {
		now.Renewed = attempted(leader)
	}
	l.known.Store(&now)
}

// loss returns why the tenure has ended. The first call decides.
func (l *Leadership) loss(reason Reason, err error) error {
	if ended := l.ended.Load(); ended != nil {
		return ended
	}
	loss := *l.known.Load()
	loss.Reason = reason
	if err != nil {
		loss.Err = err
	}
	l.ended.CompareAndSwap(nil, &loss)
	return l.ended.Load()
}

// setDeadlines sets how far the tenure may be believed in.
func (l *Leadership) setDeadlines(b machine.TenureDeadlines) {
	l.ctx.bound(b.Stop)
	l.lease.bound(b.End)
	l.setTimer()
	l.tellDeadlines()
}

// setTimer has the clock looked at when the next context is to end, and before:
// a timer does not count the time that the machine sleeps.
func (l *Leadership) setTimer() {
	limit := l.ctx.limit.Load()
	if l.ctx.Err() != nil {
		limit = l.lease.limit.Load()
	}
	if limit == nil {
		return
	}
	wait := min(limit.Sub(l.session.clock.Now()), max(l.leader.LeaseDuration/10, time.Millisecond))
	l.timing.Lock()
	defer l.timing.Unlock()
	switch {
	case l.silent:
	case l.timer == nil:
		l.timer = l.session.clock.AfterFunc(max(wait, clock.MinDelay), l.checkDeadlines)
	default:
		l.timer.Reset(max(wait, clock.MinDelay))
	}
}

// checkDeadlines ends the contexts whose time has come. It waits for nothing, so that they
// end even while the loop hangs: in a logger, say.
func (l *Leadership) checkDeadlines() {
	late := l.ctx.Err() != nil
	if l.lease.Err() == nil {
		l.setTimer()
	}
	if late {
		l.session.post(machine.Tick{})
	}
}

// over ends all use of the tenure.
func (l *Leadership) over(cause error) {
	l.ctx.end(cause)
	l.lease.end(cause)
	l.timing.Lock()
	defer l.timing.Unlock()
	l.silent = true
	if l.timer != nil {
		l.timer.Stop()
	}
}

// boundedContext ends at an instant that may be moved. Its Err compares the
// clock.
type boundedContext struct {
	context.Context
	clock  Clock
	cancel context.CancelCauseFunc
	limit  atomic.Pointer[time.Time]
	late   func() error // the cause if its time comes before anything else
}

func newBounded(parent context.Context, clock Clock, late func() error) *boundedContext {
	ctx, cancel := context.WithCancelCause(parent)
	return &boundedContext{Context: ctx, clock: clock, cancel: cancel, late: late}
}

// Err returns nil while the context has not ended and its time has not come.
func (c *boundedContext) Err() error {
	if limit := c.limit.Load(); limit != nil && !c.clock.Now().Before(*limit) {
		c.cancel(c.late())
	}
	return c.Context.Err()
}

func (c *boundedContext) bound(limit time.Time) {
	if !limit.IsZero() {
		c.limit.Store(&limit)
		_ = c.Err()
	}
}

func (c *boundedContext) end(cause error) { c.cancel(cause) }
