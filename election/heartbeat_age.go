package election

import (
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/subspace"
)

// heartbeatAges remember since when the last heartbeat of each candidate stands, by
// what this process has read.
type heartbeatAges struct {
	mu    sync.Mutex
	since map[Identity]heartbeatAge
}

type heartbeatAge struct {
	registered subspace.Versionstamp
	heartbeats uint64
	// written tells two heartbeats with the same count apart, of which the first was
	// seen in a transaction that has not committed it.
	written time.Time
	since   time.Time
}

// observe takes in a list of the candidates that was read before at. What is not
// in it is forgotten.
func (s *heartbeatAges) observe(candidates []Candidate, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	since := make(map[Identity]heartbeatAge, len(candidates))
	for i := range candidates {
		c := &candidates[i]
		now := heartbeatAge{c.Versionstamp, c.Heartbeats, c.LastHeartbeat, at}
		if before, ok := s.since[c.Identity]; ok && before.of(c) {
			now = before
		}
		since[c.Identity] = now
	}
	s.since = since
}

// of reports whether a silence is that of the heartbeat in a record.
func (s *heartbeatAge) of(c *Candidate) bool {
	return s.registered == c.Versionstamp && s.heartbeats == c.Heartbeats && s.written.Equal(c.LastHeartbeat)
}

// lasts returns for how long the heartbeat in a record has stood.
func (s *heartbeatAges) lasts(c *Candidate, at time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.since[c.Identity]; ok && known.of(c) {
		return at.Sub(known.since)
	}
	return 0
}
