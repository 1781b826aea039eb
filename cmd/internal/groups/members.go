package groups

import (
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
)

// Member is a member of a group, as far as a command knows it.
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

// Members returns all members, in the order of their ids. observed may be nil.
func (st *State) Members(c *Counts, observed *Observation) []Member {
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
		if observed != nil {
			m.Silent, m.Age = observed.Silent(id), observed.Age(id)
		}
		members = append(members, m)
	}
	return members
}
