package groupview

import (
	"time"

	"github.com/fdbelection/fdbelection/group"
)

// Summary is what there is to say of a group as a whole. It does not change with the State.
type Summary struct {
	// Config is the zero Config if it cannot be read.
	Config  group.Config
	Members []Member
	Shards  int
	Drains  int
	Counts
	// Moving is how many shards the balance gives to another member, free ones included. Nil: the
	// members use a newer rule.
	Moving *int
	// Spread is how evenly the shards are spread: see Spread.
	Spread float64
	// Unreadable are the errors of the records that cannot be read, joined.
	Unreadable error
	// Version is the version as of which the records are known, and Oldest that of the oldest
	// entry of the log, or 0 if the log is empty.
	Version, Oldest int64
}

// numbers were counted of the records after some number of changes.
type numbers struct {
	changes uint64
	known   bool
	counts  Counts
	moving  *int
}

// Summary returns the summary of a State that is up to date. judge is as for Members. The shards are
// counted only if a record has changed.
func (st *State) Summary(judge func(id string) (silent *bool, age *time.Duration)) Summary {
	if n := &st.numbers; !n.known || n.changes != st.changes {
		*n = numbers{changes: st.changes, known: true, counts: st.Count()}
		if plan, err := st.Plan(); err == nil {
			moving := len(plan.Moves)
			n.moving = &moving
		}
	}
	s := Summary{
		Config: st.Config, Shards: st.Mirror.Len(), Drains: len(st.Mirror.DrainedIDs()), Counts: st.numbers.counts,
		Moving: st.numbers.moving, Unreadable: st.Unreadable(), Version: st.Version, Oldest: st.Oldest,
	}
	s.Members = st.Members(&s.Counts, judge)
	s.Spread = Spread(s.Members)
	return s
}
