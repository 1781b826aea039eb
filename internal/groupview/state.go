package groupview

import (
	"errors"
	"slices"

	"github.com/google/uuid"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/mirror"
	"github.com/fdbelection/fdbelection/kv"
)

// PageRows is how many rows one transaction reads. It reads them well within its time.
const PageRows = 5000

// State is what a reader knows of a group. It is not safe for concurrent use.
type State struct {
	Mirror *mirror.Mirror
	// Config is the zero Config if it cannot be read.
	Config group.Config
	// Beats are the newest heartbeats.
	Beats []group.Beat
	// Version is the version as of which the records are known, and Oldest that of the oldest
	// entry of the log, or 0 if the log is empty.
	Version, Oldest int64

	group   *group.Group
	rescans int // since the mirror was complete
	changes uint64
	numbers numbers
}

// New returns a State that has read nothing.
func New(g *group.Group) *State {
	st := &State{group: g}
	st.Mirror = mirror.New(func(group.Kind, string) { st.changes++ })
	return st
}

// Changes is the number of changes of records so far. While it stays the same, nothing but the
// heartbeats has changed.
func (st *State) Changes() uint64 { return st.changes }

// Reading is what one transaction has read.
type Reading struct {
	Page *group.Page // nil: the log was read
	Log  group.Changes
	// Beats are read with the log.
	Beats []group.Beat
}

// MadeAgain reports whether a group was deleted and made since it was read last. Then the first
// revision of its config is written a second time.
func (r *Reading) MadeAgain() bool {
	return slices.ContainsFunc(r.Log.Changes, func(c group.Change) bool {
		return c.Kind == group.KindConfig && c.Config != nil && c.Config.Revision == 1
	})
}

// Read reads what the State needs next. It does not change the State, so it can run again.
func (st *State) Read(tr kv.ReadTransaction) (Reading, error) {
	if from, more := st.Mirror.Next(); more {
		page, err := st.group.ScanPage(tr, from, PageRows)
		return Reading{Page: &page}, err
	}
	var r Reading
	var err error
	if r.Beats, err = st.group.ReadBeats(tr); err != nil {
		return Reading{}, err
	}
	r.Log, err = st.group.ReadLog(tr, st.Mirror.Cursor(), PageRows)
	return r, err
}

// Scans reports whether Read reads a page of a scan next, and not the log.
func (st *State) Scans() bool {
	_, scans := st.Mirror.Next()
	return scans
}

// Rescan makes the next calls of Read read all records again. It finds records that were changed
// without the log, such as damaged ones.
func (st *State) Rescan() { st.Mirror.Rescan() }

// Add adds what was read, and calls tell for each change before it is added, unless tell is nil
// or the State was never up to date. It reports whether the State is up to date now.
func (st *State) Add(r *Reading, tell func(*group.Change)) bool {
	if r.Page != nil {
		st.Mirror.AddPage(r.Page)
		return false
	}
	// A trim mark that cannot be read counts as a trimmed log, whatever was scanned. The log
	// has what changed during the scan all the same.
	if st.rescans > 1 {
		r.Log.Trimmed = false
	}
	if tell != nil && !r.Log.Trimmed && st.Mirror.Complete() {
		for i := range r.Log.Changes {
			tell(&r.Log.Changes[i])
		}
	}
	if st.Mirror.AddChanges(&r.Log) {
		st.rescans++
		return false
	}
	st.Beats, st.Version, st.Oldest = r.Beats, r.Log.Version, r.Log.Oldest
	st.Config, _ = st.Mirror.Config()
	if r.Log.More || !st.Mirror.Complete() {
		return false
	}
	st.rescans = 0
	return true
}

// Rescanned reports whether the State is being scanned again, since the log was trimmed or the
// database was restored.
func (st *State) Rescanned() bool { return st.rescans > 0 }

// Unreadable returns the errors of all records that cannot be read, joined.
func (st *State) Unreadable() error {
	faults := []error{st.Mirror.Unreadable()}
	for i := range st.Beats {
		if b := &st.Beats[i]; b.Incarnation == uuid.Nil {
			faults = append(faults, &fdbelection.InvalidStateError{
				Key: st.group.Subspace().Sub("beats").Sub(b.ID).Bytes(), Record: "beat", Problem: "no part of it can be read",
			})
		}
	}
	return errors.Join(faults...)
}

// Asked returns what is asked of the leader of a shard. A request to resign is void in every
// other term.
func (st *State) Asked(s *mirror.Shard) group.RequestKind {
	r := st.Mirror.Request(s.Name)
	if r.Kind == group.ResignRequest && (r.Term != s.Term || s.Vacant()) {
		return group.NoRequest
	}
	return r.Kind
}

// Counts are numbers of shards.
type Counts struct {
	// Led are the shards that each session leads.
	Led map[election.Identity]int
	// Free have no leader whose session lives. Damaged cannot be read.
	Free, Damaged int
	// Pins and Requests are those of shards that exist.
	Pins, Requests int
}

// Count counts the shards.
func (st *State) Count() Counts {
	c := Counts{Led: make(map[election.Identity]int)}
	for _, s := range st.Mirror.Shards() {
		switch {
		case s.Unreadable != nil:
			c.Damaged++
		case st.Mirror.Free(s):
			c.Free++
		default:
			c.Led[s.Leader]++
		}
		if st.Mirror.Pin(s.Name) != "" {
			c.Pins++
		}
		if st.Asked(s) != group.NoRequest {
			c.Requests++
		}
	}
	return c
}
