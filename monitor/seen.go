package monitor

import (
	"github.com/fdbelection/fdbelection/election"
)

// seen is the history of one election, over several reads.
type seen struct {
	events  map[event]struct{}      // of the last read
	counts  [len(eventKinds)]uint64 // of the new events since the first read
	started bool                    // there was a read before
}

// event identifies an event of the history.
type event struct {
	term uint64
	kind election.EventKind
	at   int64
	to   election.Identity
}

// count counts the events that the last read did not have.
func (s *seen) count(history []election.Event) {
	now := make(map[event]struct{}, len(history))
	for i := range history {
		h := &history[i]
		e := event{h.Term, h.Kind, h.At.UnixNano(), h.To}
		now[e] = struct{}{}
		if _, known := s.events[e]; known || !s.started || int(h.Kind) >= len(s.counts) || h.Kind < 0 {
			continue
		}
		s.counts[h.Kind]++
	}
	s.events, s.started = now, true
}
