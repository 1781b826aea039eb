package elector

import (
	"context"
	"sync"
)

// broadcaster sends every change of leadership to every subscription.
type broadcaster struct {
	mu            sync.Mutex
	known         bool
	last          LeaderInfo
	closed        bool
	subscriptions map[*subscription]struct{}
}

// subscription holds the changes that its reader has not read yet.
type subscription struct {
	mu      sync.Mutex
	queue   []LeaderInfo
	closed  bool
	changed chan struct{}
}

// open forgets the last leader, for a new session.
func (b *broadcaster) open() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known, b.closed = false, false
}

func (b *broadcaster) send(leader LeaderInfo) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.known, b.last = true, leader
	for s := range b.subscriptions {
		s.add(leader)
	}
}

// add returns a new subscription. It begins with the last leader that was sent.
func (b *broadcaster) add() *subscription {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &subscription{changed: make(chan struct{}, 1)}
	if b.closed {
		s.close()
		return s
	}
	if b.known {
		s.add(b.last)
	}
	if b.subscriptions == nil {
		b.subscriptions = make(map[*subscription]struct{})
	}
	b.subscriptions[s] = struct{}{}
	return s
}

func (b *broadcaster) remove(s *subscription) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.subscriptions, s)
}

// close ends all subscriptions, with a session. Their readers still get what is queued.
func (b *broadcaster) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for s := range b.subscriptions {
		s.close()
	}
	clear(b.subscriptions)
}

func (s *subscription) add(leader LeaderInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queue = append(s.queue, leader)
	s.signal()
}

func (s *subscription) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.signal()
}

func (s *subscription) signal() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// next waits for the next change. It returns false at the end of the subscription or of
// ctx.
func (s *subscription) next(ctx context.Context) (LeaderInfo, bool) {
	for {
		s.mu.Lock()
		if len(s.queue) > 0 {
			leader := s.queue[0]
			s.queue = s.queue[1:]
			s.mu.Unlock()
			return leader, true
		}
		closed := s.closed
		s.mu.Unlock()
		if closed {
			return LeaderInfo{}, false
		}
		select {
		case <-s.changed:
		case <-ctx.Done():
			return LeaderInfo{}, false
		}
	}
}
