package overview

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// Options configure a Reader or a GroupReader. All fields but Pauses are required.
type Options struct {
	// Limit is how many elections or groups are read, in the order of their names. The others
	// are counted.
	Limit int
	// Timeout is how long one read of all of them may take.
	Timeout time.Duration
	// MaxAge is for how long a read is used again.
	MaxAge time.Duration
	// Pauses says that reads may pause. A ballot that has changed during a pause of at least the
	// lease then proves nothing, nor does a heartbeat after the candidate timeout: the process
	// may have died meanwhile. Without it, any change since the last read proves that the
	// process is alive, so that reads can be rare. A GroupReader does not use it.
	Pauses bool
	// Logger gets a warning when a read fails and when it succeeds again.
	Logger *slog.Logger
	Clock  elector.Clock
}

// Outcome is how a read went.
type Outcome struct {
	Ended  time.Time // on the process clock
	Wall   time.Time // the same on the wall clock
	Took   time.Duration
	Err    error
	Errors uint64 // reads that have failed so far
}

func (o *Outcome) outcome() *Outcome { return o }

// reading is the result of a read, with its Outcome.
type reading[R any] interface {
	*R
	outcome() *Outcome
}

// shared lets callers at the same time share one read.
type shared[R any, P reading[R]] struct {
	opts Options
	what string // for the log
	// read reads everything, and returns the error in the result. It counts what is above the
	// limit until the instant counted.
	read func(ctx context.Context, counted time.Time) P

	mu      sync.Mutex
	last    P
	running *flight[P] // nil: no read runs
	errors  uint64
}

// flight is a read that runs.
type flight[P any] struct {
	done   chan struct{}
	result P // set before done is closed
}

// get returns a result of at most MaxAge ago. It waits for a read that runs already, and not
// longer than the time limit, even if the store ignores the end of a context.
func (s *shared[R, P]) get() P {
	s.mu.Lock()
	if last := s.last; last != nil && s.opts.Clock.Now().Sub(last.outcome().Ended) < s.opts.MaxAge {
		defer s.mu.Unlock()
		return last
	}
	f := s.running
	if f == nil {
		f = &flight[P]{done: make(chan struct{})}
		s.running = f
		go s.fly(f)
	}
	s.mu.Unlock()

	ended, _ := clock.Await(context.Background(), s.opts.Clock, s.opts.Timeout+s.opts.Timeout/10, f.done)
	if ended {
		return f.result
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errors++
	failed := P(new(R))
	*failed.outcome() = Outcome{
		Ended: s.opts.Clock.Now(), Wall: s.opts.Clock.Wall(), Took: s.opts.Timeout, Err: context.DeadlineExceeded, Errors: s.errors,
	}
	return failed
}

// fly reads everything and keeps the result.
func (s *shared[R, P]) fly(f *flight[P]) {
	began := s.opts.Clock.Now()
	ctx, cancel := clock.WithTimeout(context.Background(), s.opts.Clock, s.opts.Timeout)
	defer cancel()
	now := s.read(ctx, began.Add(s.opts.Timeout/2))
	o := now.outcome()
	o.Ended, o.Wall = s.opts.Clock.Now(), s.opts.Clock.Wall()
	o.Took = o.Ended.Sub(began)

	s.mu.Lock()
	before := s.last
	if o.Err != nil {
		s.errors++
	}
	o.Errors = s.errors
	s.last, s.running, f.result = now, nil, now
	s.mu.Unlock()
	failed := before != nil && before.outcome().Err != nil
	switch {
	case o.Err != nil && !failed:
		s.opts.Logger.Warn(s.what+" cannot be read", "error", election.SafeText(o.Err.Error()))
	case o.Err == nil && failed:
		s.opts.Logger.Info(s.what + " can be read again")
	}
	close(f.done)
}
