package membertest

import (
	"errors"
	"maps"
	"sync"
	"time"
)

// Shares are which process leads which shard, as the processes say themselves. It is safe for
// concurrent use.
type Shares struct {
	mu      sync.Mutex
	leaders map[string]int
	loads   map[int]int // shards of each process
	changed chan struct{}
}

// NoLeader stands for no process.
const NoLeader = -1

// NewShares returns the shares of processes that lead nothing.
func NewShares() *Shares {
	return &Shares{leaders: make(map[string]int), loads: make(map[int]int), changed: make(chan struct{}, 1)}
}

// Lead notes that a process leads a shard.
func (s *Shares) Lead(shard string, process int) { s.set(shard, func(int) int { return process }) }

// Lose notes that a process does not lead a shard any more.
func (s *Shares) Lose(shard string, process int) {
	s.set(shard, func(now int) int {
		if now == process {
			return NoLeader
		}
		return now
	})
}

func (s *Shares) set(shard string, next func(now int) int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, ok := s.leaders[shard]
	if ok {
		s.loads[now]--
	} else {
		now = NoLeader
	}
	now = next(now)
	s.leaders[shard] = now
	s.loads[now]++
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// counts returns the number of shards of each process.
func (s *Shares) counts() map[int]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.loads)
}

// Await waits until the counts are as wanted.
func (s *Shares) Await(limit time.Duration, wanted func(counts map[int]int) bool) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for !wanted(s.counts()) {
		select {
		case <-s.changed:
		case <-timer.C:
			return errors.New("the shards are not led as wanted in time")
		}
	}
	return nil
}

// LedBy reports whether all n shards are led, none of them by the process without.
func LedBy(n, without int) func(map[int]int) bool {
	return func(counts map[int]int) bool {
		led := 0
		for process, count := range counts {
			if process != NoLeader && process != without {
				led += count
			}
		}
		return led == n
	}
}
