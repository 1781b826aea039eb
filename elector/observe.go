package elector

import (
	"context"
	"sync"

	"github.com/fdbelection/fdbelection/internal/machine"
)

// Observe tells who leads: first as it is, then every change, in order and
// without a gap. A vacant seat is a Leader without an ID, and one that was handed
// over and has not been taken yet is not Accepted. Where several tenures passed
// between two looks, the history fills them in, as far as it reaches; what was
// over sooner, a vacancy or a wait for acceptance, is left out.
//
// The channel is closed when ctx ends, or when the elector stops. What its reader
// has not taken waits for it, without limit.
//
// An elector that is in no other use only looks on for it: it writes nothing, is
// not listed, and waits where nobody has made the election yet.
func (e *Elector) Observe(ctx context.Context) <-chan Leader {
	leaders := make(chan Leader)
	if ctx.Err() != nil {
		close(leaders)
		return leaders
	}
	s, view, err := e.look(ctx)
	if err != nil {
		e.report(err)
		close(leaders)
		return leaders
	}
	go func() {
		defer close(leaders)
		defer s.unwatch()
		defer e.hub.leave(view)
		for {
			leader, ok := view.next(ctx)
			if !ok {
				return
			}
			select {
			case leaders <- leader:
			case <-ctx.Done():
				return
			}
		}
	}()
	return leaders
}

// look begins to look on, in the session that there is or in one of its own.
func (e *Elector) look(ctx context.Context) (*session, *view, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s := e.live(); s != nil {
		if view := s.watch(); view != nil {
			return s, view, nil
		}
	}
	s, err := e.newSession(ctx, observing, machine.Spectate)
	if err != nil {
		return nil, nil, err
	}
	view := s.watch()
	s.post(machine.Begin{})
	return s, view, nil
}

// watch counts one more observer, and returns what it sees; nil where the session
// is over.
func (s *session) watch() *view {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil
	}
	s.watchers++
	return s.elector.hub.join()
}

// unwatch counts one less. A session that was begun for observers ends with the
// last: it has nothing to give up.
func (s *session) unwatch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers--
	if s.watchers == 0 && s.mode == observing {
		s.quit(nil, machine.ReasonStopped)
	}
}

// hub hands every change of leadership to every observer.
type hub struct {
	mu     sync.Mutex
	known  bool
	last   Leader
	closed bool
	views  map[*view]struct{}
}

// view is what one observer has not seen yet.
type view struct {
	mu     sync.Mutex
	queue  []Leader
	closed bool
	news   chan struct{}
}

// open begins anew, with a session.
func (h *hub) open() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.known, h.closed = false, false
}

func (h *hub) tell(leader Leader) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.known, h.last = true, leader
	for v := range h.views {
		v.add(leader)
	}
}

func (h *hub) join() *view {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := &view{news: make(chan struct{}, 1)}
	if h.closed {
		v.close()
		return v
	}
	if h.known {
		v.add(h.last)
	}
	if h.views == nil {
		h.views = make(map[*view]struct{})
	}
	h.views[v] = struct{}{}
	return v
}

func (h *hub) leave(v *view) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.views, v)
}

// close ends all views, with a session. What they hold is still read.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for v := range h.views {
		v.close()
	}
	clear(h.views)
}

func (v *view) add(leader Leader) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.queue = append(v.queue, leader)
	v.tell()
}

func (v *view) close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = true
	v.tell()
}

func (v *view) tell() {
	select {
	case v.news <- struct{}{}:
	default:
	}
}

// next returns the next change, and false at the end.
func (v *view) next(ctx context.Context) (Leader, bool) {
	for {
		v.mu.Lock()
		if len(v.queue) > 0 {
			leader := v.queue[0]
			v.queue = v.queue[1:]
			v.mu.Unlock()
			return leader, true
		}
		closed := v.closed
		v.mu.Unlock()
		if closed {
			return Leader{}, false
		}
		select {
		case <-v.news:
		case <-ctx.Done():
			return Leader{}, false
		}
	}
}

// closed ends what goes with a session.
func (e *Elector) closed(s *session) {
	view := s.machine.View()
	view.State = StateStopped
	e.status.Store(&status{View: view})
	e.hub.close()
}
