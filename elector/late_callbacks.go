package elector

import (
	"sync"
	"time"
)

// lateCallbacks delays and skips calls of callbacks that are late. It belongs to the
// elector because a late call may outlast its session.
type lateCallbacks struct {
	mu  sync.Mutex
	all map[string]*lateCallback
	run map[*made]struct{} // calls that have not returned
}

// lateCallback is one lane: a callback, or the two of a pair.
type lateCallback struct {
	late    int   // calls that have used up their time and have not returned
	held    *call // the newest call that waits for them
	by      *notifier
	skipped int // calls that were skipped meanwhile
}

// pair is one stay in a state.
type pair struct{ entered bool }

// made is a call that was made.
type made struct {
	call
	began          time.Time
	late, returned bool // guarded by the lanes
}

// of returns a lane. The caller holds ls.mu.
func (ls *lateCallbacks) of(name string) *lateCallback {
	if ls.all == nil {
		ls.all = make(map[string]*lateCallback)
	}
	if ls.all[name] == nil {
		ls.all[name] = &lateCallback{}
	}
	return ls.all[name]
}

// admit reports whether a call is made now. A call that has to wait replaces the one that
// is held. A call that leaves a state is skipped if the call that enters it was skipped or
// is held, and that one is skipped too.
func (ls *lateCallbacks) admit(n *notifier, c *call) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.of(c.lane)
	switch {
	case c.leaves && c.pair.entered:
		return true
	case c.leaves:
		if l.held != nil && l.held.pair == c.pair {
			l.skipHeld()
		}
		l.countSkipped(c)
		return false
	case l.late > 0 || l.held != nil:
		l.skipHeld()
		l.held, l.by = c, n
		return false
	}
	if c.pair != nil {
		c.pair.entered = true
	}
	return true
}

// skipHeld skips the call that is held, if any.
func (l *lateCallback) skipHeld() {
	if l.held != nil {
		l.countSkipped(l.held)
		l.held, l.by = nil, nil
	}
}

func (l *lateCallback) countSkipped(c *call) {
	if c.run != nil {
		l.skipped++
	}
}

// begin returns a call that is about to be made. Call returned after it.
func (ls *lateCallbacks) begin(c call, now time.Time) *made {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	m := &made{call: c, began: now}
	if ls.run == nil {
		ls.run = make(map[*made]struct{})
	}
	ls.run[m] = struct{}{}
	return m
}

// oldest returns the call that has not returned for the longest time, and when it began. The
// name is empty if all have returned.
func (ls *lateCallbacks) oldest() (name string, began time.Time) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for m := range ls.run {
		if name == "" || m.began.Before(began) {
			name, began = m.name, m.began
		}
	}
	return name, began
}

// late marks a call as late unless it has returned.
func (ls *lateCallbacks) late(m *made) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if !m.returned {
		m.late = true
		ls.of(m.lane).late++
	}
}

// returned marks a call as returned. It reports whether the call was late and, if no other
// call of its lane is late any more, how many calls were skipped.
func (ls *lateCallbacks) returned(m *made) (late bool, skipped int) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	m.returned = true
	delete(ls.run, m)
	if !m.late {
		return false, 0
	}
	l := ls.of(m.lane)
	if l.late--; l.late == 0 {
		skipped, l.skipped = l.skipped, 0
	}
	return true, skipped
}

// wake resumes the held call of a lane if no other call of the lane is late.
func (ls *lateCallbacks) wake(name string) {
	for n := ls.waiting(name); n != nil && !n.resume(name); n = ls.waiting(name) {
		ls.drop(name, n)
	}
}

// waiting returns the notifier of the held call if no other call of the lane is late.
func (ls *lateCallbacks) waiting(name string) *notifier {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l := ls.of(name); l.late == 0 {
		return l.by
	}
	return nil
}

// drop removes the held call of a notifier.
func (ls *lateCallbacks) drop(name string, n *notifier) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l := ls.of(name); l.by == n {
		l.held, l.by = nil, nil
	}
}

// take removes and returns the held call of a notifier if it is to be made.
func (ls *lateCallbacks) take(name string, n *notifier) (c call, ok bool) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.of(name)
	if l.by != n || l.late > 0 {
		return call{}, false
	}
	c = *l.held
	l.held, l.by = nil, nil
	if c.pair != nil {
		c.pair.entered = true
	}
	return c, true
}
