package elector

import "time"

// Deadlines are the instants of the elector's Clock at which a tenure ends of
// itself unless a renewal is acknowledged before. They count from the start of
// the attempt that was acknowledged, not from its answer.
type Deadlines struct {
	// Stop is when Context ends.
	Stop time.Time
	// End is when Lease ends.
	End time.Time
}

// Deadlines returns those that stand now. Leadership may end before them, for
// other reasons: its contexts tell.
func (l *Leadership) Deadlines() Deadlines {
	var d Deadlines
	if stop := l.ctx.limit.Load(); stop != nil {
		d.Stop = *stop
	}
	if end := l.lease.limit.Load(); end != nil {
		d.End = *end
	}
	return d
}

// SubscribeDeadlines calls f with the deadlines, at once and whenever they are moved,
// in order and one call at a time, until unfollow is called. It is for whoever has
// to keep them where this process does not run: a guard in a process of its own,
// or a timer in hardware.
//
// An earlier deadline is told before the write that shortens the lease is
// committed, so it is known in time even where this process is stopped right
// after. For that f is called by the loop itself: it must not block, and must not
// call the elector or this Leadership.
func (l *Leadership) SubscribeDeadlines(f func(Deadlines)) (unfollow func()) {
	l.following.Lock()
	defer l.following.Unlock()
	if l.followers == nil {
		l.followers = make(map[*func(Deadlines)]struct{})
	}
	l.followers[&f] = struct{}{}
	f(l.Deadlines())
	return func() {
		l.following.Lock()
		defer l.following.Unlock()
		delete(l.followers, &f)
	}
}

// tellDeadlines tells those who follow, where the deadlines have moved.
func (l *Leadership) tellDeadlines() {
	l.following.Lock()
	defer l.following.Unlock()
	now := l.Deadlines()
	if now == l.told {
		return
	}
	l.told = now
	for f := range l.followers {
		(*f)(now)
	}
}
