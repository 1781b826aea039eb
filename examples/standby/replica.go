package main

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

const (
	pageSize     = 1000        // entries that one transaction reads
	pollInterval = time.Second // how late a standby may be if a watch is lost
)

var (
	space  = subspace.New("guestbook")
	newest = space.Sub("newest").Bytes() // changes with each entry, for the watch
)

func entryKey(n int) []byte {
	return subspace.AppendInt(space.Sub("entries").Bytes(), int64(n))
}

// errClosed means that this process does not take writes.
var errClosed = errors.New("this process does not take writes")

// replica is one process of a guestbook. Each has a copy of all entries and answers reads from it. The
// primary numbers the new entries by its copy, so the copy must be complete before that.
type replica struct {
	*elector.Elector
	db kv.Database

	mu      sync.RWMutex
	entries []string

	writing chan struct{}                      // holds a value during each write
	primary atomic.Pointer[elector.Leadership] // the tenure under which writes are open; nil: closed
}

func newReplica(db kv.Database, options elector.Options) (*replica, error) {
	el, err := elector.New(db, election.New(space.Sub("election")), options)
	return &replica{Elector: el, db: db, writing: make(chan struct{}, 1)}, err
}

// run takes part until ctx ends.
func (r *replica) run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	var following sync.WaitGroup
	following.Go(func() { r.follow(ctx) })
	defer following.Wait()
	defer stop()
	return r.Run(ctx, r.lead)
}

// lead opens the writes when the copy is complete, and closes them before leadership is released.
func (r *replica) lead(ctx context.Context, lead *elector.Leadership) error {
	// This begins after the claim. So it reads all that earlier primaries have written, and the
	// fence refuses what they write later.
	if err := r.catchUp(ctx); err != nil {
		return err
	}
	r.primary.Store(lead)
	<-ctx.Done()
	r.primary.Store(nil)
	r.writing <- struct{}{} // waits for the write that runs
	<-r.writing
	return nil
}

// write adds an entry and returns its number.
func (r *replica) write(ctx context.Context, text string) (int, error) {
	select {
	case r.writing <- struct{}{}:
		defer func() { <-r.writing }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	lead := r.primary.Load()
	if lead == nil || !lead.Leads() {
		return 0, errClosed
	}
	n := r.count()
	// Not ctx: if the client goes away, its write is finished all the same.
	err := lead.Transact(lead.LeaseContext(), func(tr kv.Transaction) error {
		tr.Set(entryKey(n), []byte(text))
		tr.Set(newest, entryKey(n))
		return nil
	})
	if err != nil {
		// The entry may be there, and no later write may use its number. A new tenure finds out.
		r.primary.Store(nil)
		return 0, errors.Join(err, lead.Resign(ctx))
	}
	r.apply(n, text)
	return n, nil
}

// follow keeps the copy up to date until ctx ends.
func (r *replica) follow(ctx context.Context) {
	for ctx.Err() == nil {
		if err := r.followChange(ctx); err != nil && ctx.Err() == nil {
			slog.Warn("the copy may be out of date", "node", r.NodeID(), "error", err)
			wait(ctx, nil)
		}
	}
}

// followChange reads what is new, and waits for the next change.
func (r *replica) followChange(ctx context.Context) error {
	changed, err := kv.Transact(ctx, r.db, func(tr kv.Transaction) (kv.Watch, error) {
		return tr.Watch(newest), nil
	})
	if err != nil {
		return err
	}
	defer changed.Cancel()
	if err := r.catchUp(ctx); err != nil { // after the watch, so that it misses no change
		return err
	}
	wait(ctx, changed.Done())
	return nil
}

// wait waits for an event, pollInterval or the end of ctx.
func wait(ctx context.Context, event <-chan struct{}) {
	select {
	case <-event:
	case <-time.After(pollInterval):
	case <-ctx.Done():
	}
}

// catchUp reads all entries that the copy does not have.
func (r *replica) catchUp(ctx context.Context) error {
	for {
		from := r.count()
		rows, err := kv.ReadTransact(ctx, r.db, func(tr kv.ReadTransaction) ([]kv.KeyValue, error) {
			_, end := space.Sub("entries").Range()
			return tr.GetRange(entryKey(from), end, kv.RangeOptions{Limit: pageSize}).Get()
		})
		if err != nil {
			return err
		}
		for i, row := range rows {
			r.apply(from+i, string(row.Value))
		}
		if len(rows) < pageSize {
			return nil
		}
	}
}

// apply adds entry n to the copy, unless it is there.
func (r *replica) apply(n int, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n == len(r.entries) {
		r.entries = append(r.entries, text)
	}
}

func (r *replica) count() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.entries)
}
