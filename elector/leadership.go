package elector

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/internal/loop"
	"github.com/fdbelection/fdbelection/internal/machine"
)

// Leadership is one tenure of this process. Its methods are safe for concurrent use. Only
// Transact and Resign do I/O.
type Leadership struct {
	leader  election.LeaderRecord
	session *session

	ctx   *loop.DeadlineContext // while the process leads
	lease *loop.DeadlineContext // while its work may use the lease
	ofRun bool                  // the work ends by returning, and not by Resign

	latest atomic.Pointer[LossError] // what a loss at this moment would report
	ended  atomic.Pointer[LossError] // why the tenure has ended
	// unfinished is when the lease has ended before the work of Run has returned, on the
	// process clock. It is nil otherwise.
	unfinished atomic.Pointer[time.Time]

	timerMu      sync.Mutex
	timer        Timer
	timerStopped bool

	deadlinesMu   sync.Mutex
	subscribers   map[*func(Deadlines)]struct{}
	lastDeadlines Deadlines // the last that the subscribers got

	// Guarded by the session.
	pending     int // what must return before the tenure is over: the work, and the callbacks of the loss
	drained     bool
	finished    bool  // the work has returned, or is not waited for any more
	reported    bool  // as not resigned
	overdue     Timer // reports work of Run that runs longer than its lease
	released    chan struct{}
	notReleased error // set before released is closed
}

// Token returns the fencing token of the tenure.
func (l *Leadership) Token() election.Token { return l.leader.Token() }

// Term returns the number of the tenure. It is the fencing token for systems outside the
// database, which refuse a lower number than the highest they have seen.
func (l *Leadership) Term() uint64 { return l.leader.Term }

// Ballot returns the ballot of the write that began the tenure in this process.
func (l *Leadership) Ballot() uint64 { return l.leader.Ballot }

// Context ends when the process stops leading: the lease could not be renewed, another
// process holds leadership, or it is to be handed over or resigned. The cause is a
// *LossError, which says why. Stop the work then. Transactions under this context fail
// from then on. Use LeaseContext for what has to be finished.
//
// Err compares the clock at each call. A process that was suspended sees the end at once,
// before a timer has fired.
func (l *Leadership) Context() context.Context { return l.ctx }

// LeaseContext ends when nothing may be done any more on the authority of this tenure. It
// outlasts Context by the time that is left to finish:
//   - a fifth of the lease if the lease could not be renewed
//   - the drain limit or the grace if leadership is to be handed over or resigned
//   - nothing if leadership was lost
func (l *Leadership) LeaseContext() context.Context { return l.lease }

// Leads reports whether the process leads in this tenure now, by its own clock. It is
// false while the work drains.
func (l *Leadership) Leads() bool { return l.ctx.Err() == nil }

// Resign reports that the work of a Campaign has ended. It releases leadership and waits
// until that is done or ctx ends. The release goes on in any case and is retried after
// errors. Call Resign even after Context has ended: the elector cannot know otherwise that
// the work has ended, and the next campaign has to wait for the end of LeaseContext. After
// that end Resign has no effect.
//
// Work of Run returns instead. There Resign asks the work to stop and does not wait.
// Leadership is released when the work has returned.
//
// Resign returns the cause of ctx if ctx ends first. If the elector has stopped without
// releasing leadership, Resign returns why. The leadership then lasts until its lease
// expires.
func (l *Leadership) Resign(ctx context.Context) error {
	if l.ofRun {
		l.session.post(machine.WorkReturning{Term: l.Term()})
		return nil
	}
	l.workReturned(nil)
	select {
	case <-l.released:
		return l.notReleased
	default: // a context that has already ended decides only if there is something to wait for
	}
	select {
	case <-l.released:
		return l.notReleased
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// newLeadership returns a tenure that does not lead before setDeadlines is called.
func (s *session) newLeadership(values context.Context, leader election.LeaderRecord) *Leadership {
	l := &Leadership{
		leader: leader, session: s, pending: 1, released: make(chan struct{}), ofRun: s.mode == working,
	}
	l.latest.Store(&LossError{Term: leader.Term, Renewed: leaseStart(leader)})
	unrenewed := func() error { return l.loss(ReasonUnrenewed, nil) }
	l.ctx = loop.NewDeadlineContext(values, s.clock.Now, unrenewed)
	l.lease = loop.NewDeadlineContext(values, s.clock.Now, unrenewed)
	return l
}

// leaseStart returns when the attempt began that wrote a leader record, on the wall clock
// of the process that wrote it.
func leaseStart(leader election.LeaderRecord) time.Time {
	return leader.LeaseExpiry.Add(-leader.LeaseDuration)
}

// remember keeps the leader record and the error of the store, in case the tenure ends
// before either changes.
func (l *Leadership) remember(leader election.LeaderRecord, storeError error) {
	latest := *l.latest.Load()
	latest.Err = storeError
	if leader.Token() == l.Token() {
		latest.Renewed = leaseStart(leader)
	}
	l.latest.Store(&latest)
}

// loss returns why the tenure has ended. The first call decides.
func (l *Leadership) loss(reason Reason, err error) error {
	if ended := l.ended.Load(); ended != nil {
		return ended
	}
	loss := *l.latest.Load()
	loss.Reason = reason
	if err != nil {
		loss.Err = err
	}
	l.ended.CompareAndSwap(nil, &loss)
	return l.ended.Load()
}

// end ends both contexts.
func (l *Leadership) end(cause error) {
	l.ctx.End(cause)
	l.lease.End(cause)
	l.timerMu.Lock()
	defer l.timerMu.Unlock()
	l.timerStopped = true
	if l.timer != nil {
		l.timer.Stop()
	}
}

// setDeadlines moves the ends of both contexts.
func (l *Leadership) setDeadlines(d machine.TenureDeadlines) {
	l.ctx.SetDeadline(d.Stop)
	l.lease.SetDeadline(d.End)
	l.setTimer()
	l.sendDeadlines()
}

// setTimer sets the timer to the next end of a context. It fires earlier as well, because
// a timer does not count the time for which the machine was suspended.
func (l *Leadership) setTimer() {
	deadline := l.ctx.MovingDeadline()
	if l.ctx.Err() != nil {
		deadline = l.lease.MovingDeadline()
	}
	if deadline.IsZero() {
		return
	}
	wait := min(deadline.Sub(l.session.clock.Now()), max(l.leader.LeaseDuration/10, time.Millisecond))
	l.timerMu.Lock()
	defer l.timerMu.Unlock()
	switch {
	case l.timerStopped:
	case l.timer == nil:
		l.timer = l.session.clock.AfterFunc(max(wait, clock.MinDelay), l.checkDeadlines)
	default:
		l.timer.Reset(max(wait, clock.MinDelay))
	}
}

// checkDeadlines ends the contexts whose deadline has passed. It takes no lock of the
// session before that, so the contexts end even if the loop hangs, for example in a logger.
func (l *Leadership) checkDeadlines() {
	stopped := l.ctx.Err() != nil
	if l.lease.Err() == nil {
		l.setTimer()
	}
	if stopped {
		l.session.post(machine.Tick{})
	}
}
