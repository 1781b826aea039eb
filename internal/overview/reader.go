// Package overview reads all elections below a subspace for monitoring, and keeps what
// changes from one read to the next: that decides which leaders and candidates are alive.
package overview

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// Options configure a Reader. All fields but Pauses are required.
type Options struct {
	// Limit is how many elections are read, in the order of their names. The others are
	// counted.
	Limit int
	// Timeout is how long one read of all elections may take.
	Timeout time.Duration
	// MaxAge is for how long a read is used again.
	MaxAge time.Duration
	// Pauses says that reads may pause. A ballot that has changed during a pause of at least the
	// lease then proves nothing, nor does a heartbeat after the candidate timeout: the process
	// may have died meanwhile. Without it, any change since the last read proves that the
	// process is alive, so that reads can be rare.
	Pauses bool
	// Logger gets a warning when a read fails and when it succeeds again.
	Logger *slog.Logger
	Clock  elector.Clock
}

// Reader reads the elections below a subspace, 100 of them in a transaction. Callers at the
// same time share one read. It is safe for concurrent use.
type Reader struct {
	db    kv.Database
	space subspace.Subspace
	opts  Options

	mu      sync.Mutex
	last    *Reading
	running *flight // nil: no read runs
	errors  uint64

	// Only the running read uses these.
	seen  map[string]*seen // by name
	known []string         // the names of the last read, in order
}

// Reading is the result of one read of all elections. It does not change.
type Reading struct {
	Ended     time.Time // on the process clock
	Wall      time.Time // the same on the wall clock
	Took      time.Duration
	Elections []Election
	LeftOut   int // elections above the limit
	Err       error
	Errors    uint64 // reads that have failed so far
}

// flight is a read that runs.
type flight struct {
	done   chan struct{}
	result *Reading // set before done is closed
}

// NewReader returns a reader. It does no I/O.
func NewReader(db kv.Database, space subspace.Subspace, opts Options) *Reader {
	return &Reader{db: db, space: space, opts: opts, seen: map[string]*seen{}}
}

// Read returns the elections as of at most MaxAge ago. It waits for a read that runs already,
// and not longer than the time limit, even if the store ignores the end of a context.
func (r *Reader) Read() *Reading {
	r.mu.Lock()
	if last := r.last; last != nil && r.opts.Clock.Now().Sub(last.Ended) < r.opts.MaxAge {
		defer r.mu.Unlock()
		return last
	}
	f := r.running
	if f == nil {
		f = &flight{done: make(chan struct{})}
		r.running = f
		go r.fly(f)
	}
	r.mu.Unlock()

	ended, _ := clock.Await(context.Background(), r.opts.Clock, r.opts.Timeout+r.opts.Timeout/10, f.done)
	if ended {
		return f.result
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errors++
	return &Reading{Ended: r.opts.Clock.Now(), Wall: r.opts.Clock.Wall(), Took: r.opts.Timeout, Err: context.DeadlineExceeded, Errors: r.errors}
}

// fly reads all elections and keeps the result.
func (r *Reader) fly(f *flight) {
	began := r.opts.Clock.Now()
	ctx, cancel := clock.WithTimeout(context.Background(), r.opts.Clock, r.opts.Timeout)
	defer cancel()
	now := &Reading{}
	now.Elections, now.LeftOut, now.Err = r.readAll(ctx, began.Add(r.opts.Timeout/2))
	now.Ended, now.Wall = r.opts.Clock.Now(), r.opts.Clock.Wall()
	now.Took = now.Ended.Sub(began)

	r.mu.Lock()
	before := r.last
	if now.Err != nil {
		r.errors++
	}
	now.Errors = r.errors
	r.last, r.running, f.result = now, nil, now
	r.mu.Unlock()
	failed := before != nil && before.Err != nil
	switch {
	case now.Err != nil && !failed:
		r.opts.Logger.Warn("elections cannot be read", "error", election.SafeText(now.Err.Error()))
	case now.Err == nil && failed:
		r.opts.Logger.Info("elections can be read again")
	}
	close(f.done)
}
