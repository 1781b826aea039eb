package elector

import "sync"

// lateCallbacks keep callbacks that are late from being called again. They belong to the
// elector, as a late call may outlive its session.
type lateCallbacks struct {
	mu  sync.Mutex
	all map[string]*lateCallback
}

// lateCallback is one callback, or the two of a pair.
type lateCallback struct {
	late    int   // calls that have had their time and have not returned
	held    *call // the newest of those that wait for them
	by      *notifier
	skipped int // calls that were left out meanwhile
}

// pair is one stay in a state.
type pair struct{ entered bool }

// made is a call that was made.
type made struct {
	call
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

// admit reports whether a call is made now. One that has to wait is held in place
// of the one that was held before. A call that leaves what was never entered is
// left out together with the one that was to enter it.
func (ls *lateCallbacks) admit(n *notifier, c *call) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	l := ls.of(c.lane)
	switch {
	case c.leaves && c.pair.entered:
		return true
	case c.leaves:
		if l.held != nil && l.held.pair == c.pair {
			l.skip()
		}
		l.count(c)
		return false
	case l.late > 0 || l.held != nil:
		l.skip()
		l.held, l.by = c, n
		return false
	}
	if c.pair != nil {
		c.pair.entered = true
	}
	return true
}

// skip leaves out the call that is held, if any.
func (l *lateCallback) skip() {
	if l.held != nil {
		l.count(l.held)
		l.held, l.by = nil, nil
	}
}

func (l *lateCallback) count(c *call) {
	if c.run != nil {
		l.skipped++
	}
}

// late takes in that a call has had its time.
func (ls *lateCallbacks) late(m *made) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if !m.returned {
		m.late = true
		ls.of(m.lane).late++
	}
}

// returned takes in that a call has returned. It reports whether the call was
// late, and how many others were left out if it was the last that was.
func (ls *lateCallbacks) returned(m *made) (late bool, skipped int) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	m.returned = true
	if !m.late {
		return false, 0
	}
	l := ls.of(m.lane)
	if l.late--; l.late == 0 {
		skipped, l.skipped = l.skipped, 0
	}
	return true, skipped
}

// wake has the held call of a lane made next, if it need not wait any longer.
func (ls *lateCallbacks) wake(name string) {
	for n := ls.waiting(name); n != nil && !n.resume(name); n = ls.waiting(name) {
		ls.drop(name, n)
	}
}

// waiting returns the notifier whose call is held although no other is late.
func (ls *lateCallbacks) waiting(name string) *notifier {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l := ls.of(name); l.late == 0 {
		return l.by
	}
	return nil
}

// drop forgets the call that is held for a notifier.
func (ls *lateCallbacks) drop(name string, n *notifier) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if l := ls.of(name); l.by == n {
		l.held, l.by = nil, nil
	}
}

// take returns the call that is held for a notifier, if it is to be made.
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
