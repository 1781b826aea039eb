package groupview

import (
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
)

// Member is a member of a group, as far as a reader knows it.
type Member struct {
	ID string
	// Record is nil if it is missing or cannot be read.
	Record *group.Member
	// Beat is nil if it is missing.
	Beat    *group.Beat
	Shards  int
	Drained bool // an operator drains it
	// Silent says that no heartbeat was seen, and Age for how long that is. Both are nil if it
	// was not judged.
	Silent *bool
	Age    *time.Duration
	Lag    *time.Duration
}

// The states of a member.
const (
	StateReady      = "ready"
	StateNotReady   = "not ready"
	StateDraining   = "draining"
	StateSilent     = "silent"
	StateUnreadable = "damaged"
)

// State returns the state of a member in a word.
func (m *Member) State() string {
	switch {
	case m.Silent != nil && *m.Silent:
		return StateSilent
	case m.Record == nil || m.Beat != nil && m.Beat.Incarnation == uuid.Nil:
		return StateUnreadable
	case m.Record.Draining || m.Drained:
		return StateDraining
	case !m.Record.Ready():
		return StateNotReady
	default:
		return StateReady
	}
}

// Identity returns the session of a member. If neither record can be read, it has only an ID.
func (m *Member) Identity() election.Identity {
	switch {
	case m.Record != nil:
		return m.Record.Identity
	case m.Beat != nil:
		return m.Beat.Identity
	default:
		return election.Identity{ID: m.ID}
	}
}

// Members returns all members, in the order of their ids. judge returns Silent and Age of a
// member. Nil: none was judged.
func (st *State) Members(c *Counts, judge func(id string) (silent *bool, age *time.Duration)) []Member {
	beats := make(map[string]*group.Beat, len(st.Beats))
	for i := range st.Beats {
		beats[st.Beats[i].ID] = &st.Beats[i]
	}
	ids := st.Mirror.MemberIDs()
	for _, id := range slices.Sorted(maps.Keys(beats)) {
		if _, found := slices.BinarySearch(ids, id); !found {
			ids = append(ids, id) // its member record is missing
		}
	}
	slices.Sort(ids)
	byID := make(map[string]int, len(c.Led))
	for leader, n := range c.Led {
		byID[leader.ID] += n // a member whose record cannot be read may lead as several incarnations
	}
	members := make([]Member, 0, len(ids))
	for _, id := range slices.Compact(ids) {
		m := Member{
			ID: id, Record: st.Mirror.Member(id), Beat: beats[id],
			Shards: byID[id], Drained: st.Mirror.Drained(id), Lag: st.Lag(beats[id]),
		}
		if judge != nil {
			m.Silent, m.Age = judge(id)
		}
		members = append(members, m)
	}
	return members
}

// Spread says how evenly the shards are spread: the difference between the most and the fewest
// shards per weight of the members that receive shards, times the least of their weights. Without
// pins, capacities and members that are not ready, it is at most 1 if the shards are balanced.
func Spread(members []Member) float64 {
	var most, fewest, least float64
	counted := false
	for i := range members {
		m := &members[i]
		if m.State() != StateReady || m.Record.Weight <= 0 {
			continue
		}
		weight := float64(m.Record.Weight)
		share := float64(m.Shards) / weight
		if !counted {
			most, fewest, least, counted = share, share, weight, true
			continue
		}
		most, fewest, least = max(most, share), min(fewest, share), min(least, weight)
	}
	return (most - fewest) * least
}
