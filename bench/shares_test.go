package bench

import (
	"errors"
	"sync"
	"time"
)

// shares are the leaders of the shards of a scenario, by shard.
type shares struct {
	mu      sync.Mutex
	leaders map[string]int
	changed chan struct{}
}

// noLeader stands for no leader.
const noLeader = -1

func newShares() *shares {
	return &shares{leaders: make(map[string]int), changed: make(chan struct{}, 1)}
}

// lead notes that a process leads a shard.
func (s *shares) lead(shard string, process int) { s.set(shard, func(int) int { return process }) }

// lose notes that a process does not lead a shard any more.
func (s *shares) lose(shard string, process int) {
	s.set(shard, func(now int) int {
		if now == process {
			return noLeader
		}
		return now
	})
}

func (s *shares) set(shard string, next func(now int) int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, ok := s.leaders[shard]
	if !ok {
		now = noLeader
	}
	s.leaders[shard] = next(now)
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// counts returns the number of shards of each process.
func (s *shares) counts() map[int]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := make(map[int]int)
	for _, process := range s.leaders {
		counts[process]++
	}
	return counts
}

// await waits until the counts are as wanted.
func (s *shares) await(limit time.Duration, wanted func(counts map[int]int) bool) error {
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

// ledBy reports whether all n shards are led, none of them by the process without.
func ledBy(n, without int) func(map[int]int) bool {
	return func(counts map[int]int) bool {
		led := 0
		for process, count := range counts {
			if process != noLeader && process != without {
				led += count
			}
		}
		return led == n
	}
}
