package overview

import (
	"time"

	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/groupview"
)

// Group is one group of a GroupReading.
type Group struct {
	Name string
	// Config is the zero Config if it cannot be read.
	Config  group.Config
	Members []groupview.Member
	Shards  int
	Drains  int
	groupview.Counts
	// FreeSince is when the shard that is free for longest was first seen free, on the process
	// clock. It is zero if none is free.
	FreeSince time.Time
	// Moving is how many shards the balance gives to another member, free ones included. Nil: the
	// members use a newer rule.
	Moving *int
	// Spread is how evenly the shards are spread: the difference between the most and the fewest
	// shards per weight of the members that receive shards, times the least of their weights.
	Spread float64
	Moves  Moves
	// Unreadable are the errors of the records that cannot be read, joined.
	Unreadable error
	// Version is the version as of which the records are known, and Oldest that of the oldest entry
	// of the log, or 0 if the log is empty.
	Version, Oldest int64
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
	state  *groupview.State
	beats  groupview.Heartbeats
	moves  Moves
	counts counted
	// scanned is when all records were read last, not only the log.
	scanned time.Time
}

// counted is what was counted of the shards. It is counted again if a record has changed.
type counted struct {
	changes uint64
	counts  groupview.Counts
	free    map[string]freeShard
	oldest  time.Time
	moving  *int
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
	if h.counts.free == nil || h.counts.changes != h.state.Changes() {
		h.counts = h.recount(local)
	}
	g := Group{
		Name: name, Config: h.state.Config, Shards: h.state.Mirror.Len(), Drains: len(h.state.Mirror.DrainedIDs()),
		Counts: h.counts.counts, FreeSince: h.counts.oldest, Moving: h.counts.moving, Moves: h.moves,
		Unreadable: h.state.Unreadable(), Version: h.state.Version, Oldest: h.state.Oldest,
	}
	g.Members = h.state.Members(&g.Counts, func(id string) (*bool, *time.Duration) { return h.judge(id, local) })
	g.Spread = groupview.Spread(g.Members)
	return g
}

// recount counts the shards. A free shard keeps the time since which it is free while its term
// is the same.
func (h *groupHistory) recount(local time.Time) counted {
	c := counted{changes: h.state.Changes(), counts: h.state.Count(), free: map[string]freeShard{}}
	for _, s := range h.state.Mirror.Shards() {
		if !h.state.Mirror.Free(s) {
			continue
		}
		free, known := h.counts.free[s.Name]
		if !known || free.term != s.Term {
			free = freeShard{s.Term, local}
		}
		c.free[s.Name] = free
		if c.oldest.IsZero() || free.since.Before(c.oldest) {
			c.oldest = free.since
		}
	}
	if plan, err := h.state.Plan(); err == nil {
		moving := len(plan.Moves)
		c.moving = &moving
	}
	return c
}

// judge says whether a member is silent: no new heartbeat was seen for its lease. It is nil if
// the heartbeat was there at the first read, and that is not longer ago. age is how long the
// newest heartbeat was seen.
func (h *groupHistory) judge(id string, local time.Time) (silent *bool, age *time.Duration) {
	seen, known := h.beats.Since(id, local)
	if !known { // a session has a heartbeat from its beginning
		return new(true), nil
	}
	late := seen >= h.state.LeaseOf(id)
	if !late && !h.beats.Alive(id) {
		return nil, &seen
	}
	return &late, &seen
}
