// Package overview reads all elections and groups below a subspace for monitoring, and keeps
// what changes from one read to the next: that decides which processes are alive.
package overview

import (
	"context"
	"maps"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// Reader reads the elections below a subspace, 100 of them in a transaction. Callers at the
// same time share one read. It is safe for concurrent use.
type Reader struct {
	shared shared[Reading, *Reading]
	walk   walk[election.Overview]
	opts   Options

	seen map[string]*seen // by name; only the running read uses it
}

// Reading is the result of one read of all elections. It does not change.
type Reading struct {
	Outcome
	Elections []Election
	LeftOut   int // elections above the limit
}

// NewReader returns a reader. It does no I/O.
func NewReader(db kv.Database, space subspace.Subspace, opts Options) *Reader {
	r := &Reader{opts: opts, seen: map[string]*seen{}}
	r.walk = walk[election.Overview]{db: db, space: space, opts: opts, begin: func(tr kv.ReadTransaction, name string) await[election.Overview] {
		read := election.New(space.Sub(name)).BeginOverview(tr, newestEvents)
		return func() (election.Overview, error) { return read.Await() }
	}}
	r.shared = shared[Reading, *Reading]{opts: opts, what: "elections", read: func(ctx context.Context, counted time.Time) *Reading {
		now := &Reading{}
		now.Elections, now.LeftOut, now.Err = r.readAll(ctx, counted)
		return now
	}}
	return r
}

// Read returns the elections as of at most MaxAge ago. It waits for a read that runs already,
// and not longer than the time limit, even if the store ignores the end of a context.
func (r *Reader) Read() *Reading { return r.shared.get() }

// newestEvents is how many events are read of each election: more than are added between two
// reads.
const newestEvents = 16

// readAll reads all elections up to the limit. It counts the others until the instant
// counted, so that they do not make the read fail.
func (r *Reader) readAll(ctx context.Context, counted time.Time) (all []Election, leftOut int, err error) {
	names := map[string]bool{}
	leftOut, err = r.walk.all(ctx, counted, func(found []found[election.Overview]) error {
		local, wall := r.opts.Clock.Now(), r.opts.Clock.Wall()
		for i := range found {
			f := &found[i]
			names[f.name] = true
			if f.err != nil {
				all = append(all, Election{Name: f.name, Err: f.err})
				continue
			}
			if r.seen[f.name] == nil {
				r.seen[f.name] = &seen{}
			}
			all = append(all, r.seen[f.name].next(f.name, f.value, local, wall, r.opts.Pauses))
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	maps.DeleteFunc(r.seen, func(name string, _ *seen) bool { return !names[name] })
	return all, leftOut, nil
}
