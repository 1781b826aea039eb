package elector

import (
	"context"

	"github.com/fdbelection/fdbelection/internal/loop"
	"github.com/fdbelection/fdbelection/internal/machine"
)

// Subscribe sends the present leadership and then every change of it, in order and
// without a gap. If leadership is vacant, the LeaderInfo has no ID. If it was handed over
// to a successor that has not accepted yet, Accepted is false. If several tenures passed
// between two reads of the leader record, the history fills the gap as far as it reaches.
// Vacancies and successors that ended between two reads are not sent.
//
// If the metadata of the leader change, its LeaderInfo is sent again, with the same term and
// the new metadata. A watch tells of it within milliseconds. If the metadata change twice
// between two reads, only the last ones are sent. A process that leads gets its own metadata
// once they are committed.
//
// The channel is closed when ctx ends or the elector stops. Changes wait for the reader
// without limit.
//
// If nothing else uses the elector, Subscribe writes nothing, registers no candidate, and
// waits if the election does not exist.
func (e *Elector) Subscribe(ctx context.Context) <-chan LeaderInfo {
	leaders := make(chan LeaderInfo)
	if ctx.Err() != nil {
		close(leaders)
		return leaders
	}
	s, sub, err := e.subscribe(ctx)
	if err != nil {
		e.logger.Warn("cannot subscribe", "error", loop.LineError{Err: err})
		e.report(err)
		close(leaders)
		return leaders
	}
	go func() {
		defer close(leaders)
		defer s.removeSubscriber()
		defer e.broadcaster.remove(sub)
		for {
			leader, ok := sub.next(ctx)
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

// subscribe adds a subscriber to the present session, or to a new one.
func (e *Elector) subscribe(ctx context.Context) (*session, *subscription, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if s := e.live(); s != nil {
		if sub := s.addSubscriber(); sub != nil {
			return s, sub, nil
		}
	}
	s, err := e.newSession(ctx, subscribing, machine.SubscribeOnly)
	if err != nil {
		return nil, nil, err
	}
	sub := s.addSubscriber()
	s.post(machine.Begin{})
	return s, sub, nil
}

// addSubscriber returns the subscription of a new subscriber, or nil if the session is
// over.
func (s *session) addSubscriber() *subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return nil
	}
	s.subscribers++
	return s.elector.broadcaster.add()
}

// removeSubscriber removes a subscriber. A session that only subscribes ends with its last
// subscriber.
func (s *session) removeSubscriber() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subscribers--
	if s.subscribers == 0 && s.mode == subscribing {
		s.quit(nil, ReasonStopped)
	}
}
