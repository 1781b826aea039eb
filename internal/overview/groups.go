package overview

import (
	"context"
	"maps"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/groupview"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// GroupReader reads the groups below a subspace. It keeps a copy of the records of each group
// and follows its log. While nothing but heartbeats changes, a read of up to 100 groups is one
// transaction, whose size does not depend on the number of shards. Callers at the same time
// share one read. It is safe for concurrent use.
type GroupReader struct {
	db     kv.Database
	space  subspace.Subspace
	opts   Options
	shared shared[GroupReading, *GroupReading]
	walk   walk[*groupview.Reading]

	seen map[string]*groupHistory // by name; only the running read uses it
}

// GroupReading is the result of one read of all groups. It does not change.
type GroupReading struct {
	Outcome
	Groups  []Group
	LeftOut int // groups above the limit
}

// NewGroupReader returns a reader. It does no I/O.
func NewGroupReader(db kv.Database, space subspace.Subspace, opts Options) *GroupReader {
	r := &GroupReader{db: db, space: space, opts: opts, seen: map[string]*groupHistory{}}
	r.walk = walk[*groupview.Reading]{db: db, space: space, opts: opts, begin: r.begin}
	r.shared = shared[GroupReading, *GroupReading]{opts: opts, what: "groups", read: func(ctx context.Context, counted time.Time) *GroupReading {
		now := &GroupReading{}
		now.Groups, now.LeftOut, now.Err = r.readAll(ctx, counted)
		return now
	}}
	return r
}

// Read returns the groups as of at most MaxAge ago. It waits for a read that runs already, and
// not longer than the time limit, even if the store ignores the end of a context.
func (r *GroupReader) Read() *GroupReading { return r.shared.get() }

// begin reads whether there is a group of a name. If it is known, it also reads what is new.
func (r *GroupReader) begin(tr kv.ReadTransaction, name string) await[*groupview.Reading] {
	config := tr.Snapshot().Get(r.space.Sub(name, "group").Bytes())
	return func() (*groupview.Reading, error) {
		value, err := config.Get()
		seen := r.seen[name]
		switch {
		case err != nil:
			return nil, err
		case value == nil:
			return nil, fdbelection.ErrNotInitialized
		case seen == nil || seen.state.Scans():
			return nil, nil // a page of a scan is a transaction of its own
		}
		read, err := seen.state.Read(tr)
		return &read, err
	}
}

func (r *GroupReader) readAll(ctx context.Context, counted time.Time) (all []Group, leftOut int, err error) {
	names := map[string]bool{}
	leftOut, err = r.walk.all(ctx, counted, func(found []found[*groupview.Reading]) error {
		for i := range found {
			g, err := r.follow(ctx, found[i].name, found[i].value)
			if err != nil {
				return err
			}
			names[g.Name] = true
			all = append(all, g)
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	maps.DeleteFunc(r.seen, func(name string, _ *groupHistory) bool { return !names[name] })
	return all, leftOut, nil
}

// follow adds a reading to what is known of a group, and reads until that is up to date.
func (r *GroupReader) follow(ctx context.Context, name string, read *groupview.Reading) (Group, error) {
	for {
		if read != nil {
			if now, upToDate := r.add(name, read); upToDate {
				return now, nil
			}
		}
		seen := r.seen[name]
		if seen == nil {
			seen = newGroupHistory(group.New(r.space.Sub(name)))
			r.seen[name] = seen
		}
		next, err := kv.ReadTransact(ctx, r.db, seen.state.Read)
		if err != nil {
			return Group{}, err
		}
		read = &next
	}
}

// add adds a reading. If the group is up to date then, it returns it. A group that was made
// again is read from the start.
func (r *GroupReader) add(name string, read *groupview.Reading) (now Group, upToDate bool) {
	seen := r.seen[name]
	if read.MadeAgain() {
		delete(r.seen, name)
		return Group{}, false
	}
	if !seen.state.Add(read, seen.count) {
		return Group{}, false
	}
	return seen.next(name, r.opts.Clock.Now()), true
}
