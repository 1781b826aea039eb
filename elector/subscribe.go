package elector

import (
	"context"
	"sync"

	"github.com/fdbelection/fdbelection/internal/machine"
)

// Subscribe tells who leads: first as it is, then every change, in order and
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
func (e *Elector) Subscribe(ctx context.Context) <-chan LeaderInfo {
	leaders := make(chan LeaderInfo)
	if ctx.Err() != nil {
		close(leaders)
		return leaders
	}
	s, view, err := e.subscribe(ctx)
	if err != nil {
		e.report(err)
		close(leaders)
		return leaders
	}
	go func() {
		defer close(leaders)
		defer s.removeSubscriber()
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

// subscribe begins to look on, in the session that there is or in one of its own.
func (e *Elector) subscribe(ctx context.Context) (*session, *subscription, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s := e.live(); s != nil {
		if view := s.addSubscriber(); view != nil {
			return s, view, nil
		}
	}
	s, err := e.newSession(ctx, subscribing, machine.SubscribeOnly)
	if err != nil {
		return nil, nil, err
	}
	view := s.addSubscriber()
	s.post(machine.Begin{})
	return s, view, nil
}

// addSubscriber counts one more observer, and returns what it sees; nil where the session
// is over.
func (s *session) addSubscriber() *subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil
	}
	s.subscribers++
	return s.elector.hub.join()
}

// removeSubscriber counts one less. A session that was begun for observers ends with the
// last: it has nothing to give up.
func (s *session) removeSubscriber() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subscribers--
	if s.subscribers == 0 && s.mode == subscribing {
		s.quit(nil, ReasonStopped)
	}
}

// broadcaster hands every change of leadership to every observer.
type broadcaster struct {
	mu     sync.Mutex
	known  bool
	last   LeaderInfo
	closed bool
	views  map[*subscription]struct{}
}

// subscription is what one observer has not seen yet.
type subscription struct {
	mu     sync.Mutex
	queue  []LeaderInfo
	closed bool
	news   chan struct{}
}

// open begins anew, with a session.
func (h *broadcaster) open() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.known, h.closed = false, false
}

func (h *broadcaster) tell(leader LeaderInfo) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.known, h.last = true, leader
	for v := range h.views {
		v.add(leader)
	}
}

func (h *broadcaster) join() *subscription {
	h.mu.Lock()
	defer h.mu.Unlock()
	v := &subscription{news: make(chan struct{}, 1)}
	if h.closed {
		v.close()
		return v
	}
	if h.known {
		v.add(h.last)
	}
	if h.views == nil {
		h.views = make(map[*subscription]struct{})
	}
	h.views[v] = struct{}{}
	return v
}

func (h *broadcaster) leave(v *subscription) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.views, v)
}

// close ends all views, with a session. What they hold is still read.
func (h *broadcaster) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for v := range h.views {
		v.close()
	}
	clear(h.views)
}

func (v *subscription) add(leader LeaderInfo) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.queue = append(v.queue, leader)
	v.tell()
}

func (v *subscription) close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.closed = true
	v.tell()
}

func (v *subscription) tell() {
	select {
	case v.news <- struct{}{}:
	default:
	}
}

// next returns the next change, and false at the end.
func (v *subscription) next(ctx context.Context) (LeaderInfo, bool) {
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
			return LeaderInfo{}, false
		}
		select {
		case <-v.news:
		case <-ctx.Done():
			return LeaderInfo{}, false
		}
	}
}

// closed ends what goes with a session.
func (e *Elector) closed(s *session) {
	view := s.machine.View()
	view.State = machine.StateStopped
	e.status.Store(&status{View: view})
	e.hub.close()
}
