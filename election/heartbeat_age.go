package election

import (
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/subspace"
)

// heartbeatAges remembers since when this process has read the same heartbeat of each
// candidate.
type heartbeatAges struct {
	mu    sync.Mutex
	since map[Identity]heartbeatAge
}

// heartbeatAge is the last heartbeat of a candidate, and since when it was seen.
type heartbeatAge struct {
	registered subspace.Versionstamp
	heartbeats uint64
	// written distinguishes two heartbeats with the same count. The first of them was seen
	// in a transaction that wrote it and did not commit.
	written time.Time
	since   time.Time
}

// observe notes all candidates, as they were read before at. It forgets those that are not
// in the list.
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

// of reports whether s is the heartbeat in a record.
func (s *heartbeatAge) of(c *Candidate) bool {
	return s.registered == c.Versionstamp && s.heartbeats == c.Heartbeats && s.written.Equal(c.LastHeartbeat)
}

// age returns for how long the heartbeat in a record was seen.
func (s *heartbeatAges) age(c *Candidate, at time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known, ok := s.since[c.Identity]; ok && known.of(c) {
		return at.Sub(known.since)
	}
	return 0
}
