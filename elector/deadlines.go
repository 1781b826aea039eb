package elector

import "time"

// Deadlines are the instants at which a tenure ends unless another renewal is
// acknowledged. They are on the elector's Clock, and count from the start of the last
// acknowledged attempt, not from its answer.
type Deadlines struct {
	// Stop is the end of Leadership.Context.
	Stop time.Time
	// End is the end of Leadership.LeaseContext.
	End time.Time
}

// Deadlines returns the present deadlines. The contexts may end earlier for other reasons.
func (l *Leadership) Deadlines() Deadlines {
	return Deadlines{Stop: l.ctx.MovingDeadline(), End: l.lease.MovingDeadline()}
}

// SubscribeDeadlines calls f with the deadlines, at once and after each change, in order
// and one call at a time, until unsubscribe is called. It is for a guard outside this
// process that enforces the deadlines, such as a second process or a hardware timer.
//
// f gets an earlier deadline before the write that shortens the lease is committed. So the
// guard knows it even if this process is stopped right after the commit. For this reason
// the loop itself calls f: f must not block, and must not call the elector or this
// Leadership.
func (l *Leadership) SubscribeDeadlines(f func(Deadlines)) (unsubscribe func()) {
	l.deadlinesMu.Lock()
	defer l.deadlinesMu.Unlock()
	if l.subscribers == nil {
		l.subscribers = make(map[*func(Deadlines)]struct{})
	}
	l.subscribers[&f] = struct{}{}
	f(l.Deadlines())
	return func() {
		l.deadlinesMu.Lock()
		defer l.deadlinesMu.Unlock()
		delete(l.subscribers, &f)
	}
}

// sendDeadlines calls the subscribers if the deadlines have changed.
func (l *Leadership) sendDeadlines() {
	l.deadlinesMu.Lock()
	defer l.deadlinesMu.Unlock()
	now := l.Deadlines()
	if now == l.lastDeadlines {
		return
	}
	l.lastDeadlines = now
	for f := range l.subscribers {
		(*f)(now)
	}
}
