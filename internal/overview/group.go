package overview

import (
	"time"

	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/groupview"
)

// Group is one group of a GroupReading.
type Group struct {
	Name string
	groupview.Summary
	// FreeSince is when the shard that is free for longest was first seen free, on the process
	// clock. It is zero if none is free.
	FreeSince time.Time
	Moves     Moves
}

// Reasons is how many reasons of a tenure there are.
const Reasons = int(group.ReasonRaised) + 1

// Moves are the changes of shards since the first read of a group, by their reason. Those in a
// part of the log that was trimmed before it was read are missing.
type Moves struct {
	// Began are tenures that began, and Vacated those that ended without a successor.
	Began, Vacated [Reasons]uint64
}

// groupHistory is what this process knows of one group, over several reads.
type groupHistory struct {
	state *groupview.State
	beats groupview.Heartbeats
	moves Moves
	free  freeShards
	// scanned is when all records were read last, not only the log.
	scanned time.Time
}

// freeShards are the free shards after some number of changes of records.
type freeShards struct {
	changes uint64
	byName  map[string]freeShard
	oldest  time.Time
}

// freeShard is a free shard: in which term, and since when.
type freeShard struct {
	term  uint64
	since time.Time
}

func newGroupHistory(g *group.Group) *groupHistory {
	return &groupHistory{state: groupview.New(g)}
}

// count counts a change of the log.
func (h *groupHistory) count(c *group.Change) {
	if c.Kind != group.KindShard || c.Shard == nil || c.Shard.Reason < 0 || int(c.Shard.Reason) >= Reasons {
		return
	}
	if c.Shard.Vacant() {
		h.moves.Vacated[c.Shard.Reason]++
	} else {
		h.moves.Began[c.Shard.Reason]++
	}
}

// rescanAfter is the time after which all records are read again, to find those that were changed
// without the log. Members do not do that.
const rescanAfter = 10 * time.Minute

// next returns the group after a read that returned at local.
func (h *groupHistory) next(name string, local time.Time) Group {
	switch {
	case h.scanned.IsZero():
		h.scanned = local
	case local.Sub(h.scanned) >= rescanAfter:
		h.scanned = local
		h.state.Rescan() // by the next read
	}
	h.beats.See(h.state.Beats, local)
	if h.free.byName == nil || h.free.changes != h.state.Changes() {
		h.free = h.findFree(local)
	}
	summary := h.state.Summary(func(id string) (*bool, *time.Duration) { return h.beats.Judge(h.state, id, local) })
	return Group{Name: name, Summary: summary, FreeSince: h.free.oldest, Moves: h.moves}
}

// findFree returns the free shards. One keeps the time since which it is free while its term is
// the same.
func (h *groupHistory) findFree(local time.Time) freeShards {
	c := freeShards{changes: h.state.Changes(), byName: map[string]freeShard{}}
	for _, s := range h.state.Mirror.Shards() {
		if !h.state.Mirror.Free(s) {
			continue
		}
		free, known := h.free.byName[s.Name]
		if !known || free.term != s.Term {
			free = freeShard{s.Term, local}
		}
		c.byName[s.Name] = free
		if c.oldest.IsZero() || free.since.Before(c.oldest) {
			c.oldest = free.since
		}
	}
	return c
}
