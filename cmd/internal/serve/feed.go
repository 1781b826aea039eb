package serve

import (
	"context"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/internal/overview"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

const (
	// interval is the time between two reads while a page is open. A read that takes long
	// is repeated less often, so that reading takes a fifth of the time at most, or half of
	// it while the store does not answer.
	interval  = 500 * time.Millisecond
	slowness  = 4
	readLimit = 5 * time.Second
	// mostElections is how many elections are shown, and mostGroups how many groups.
	mostElections = 10_000
	mostGroups    = 1_000
)

// feed reads the store for all pages and requests together. While at least one page is
// open it reads all elections and groups at an interval. Otherwise it reads when it is asked.
type feed struct {
	reader      *overview.Reader
	groupReader *overview.GroupReader
	db          kv.Database
	space       subspace.Subspace
	clock       elector.Clock
	store, root string // for the answers

	elections details[*detail]
	groups    details[*groupDetail]

	mu      sync.Mutex
	last    *snapshot
	pages   map[chan<- struct{}]struct{} // each is told of a new snapshot
	reading bool                         // the loop runs
}

func newFeed(o *Options) *feed {
	elections := overview.Options{Limit: mostElections, Timeout: readLimit, MaxAge: interval / 2, Pauses: true, Logger: o.Logger, Clock: o.Clock}
	groups := elections
	groups.Limit = mostGroups
	return &feed{
		reader: overview.NewReader(o.Database, o.Space, elections), groupReader: overview.NewGroupReader(o.Database, o.Space, groups),
		db: o.Database, space: o.Space, clock: o.Clock, store: election.SafeText(o.Store), root: o.Root,
		pages: map[chan<- struct{}]struct{}{},
	}
}

// now returns a snapshot that is at most as old as the interval.
func (f *feed) now() *snapshot {
	var g *overview.GroupReading
	var reading sync.WaitGroup
	reading.Go(func() { g = f.groupReader.Read() })
	r := f.reader.Read()
	reading.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last == nil || f.last.reading != r && !r.Ended.Before(f.last.reading.Ended) {
		f.last = newSnapshot(r, g, f.last)
	}
	return f.last
}

// open adds a page. It is told of every new snapshot, the first time at once. close removes
// it.
func (f *feed) open(ctx context.Context) (news <-chan struct{}, closePage func()) {
	told := make(chan struct{}, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pages[told] = struct{}{}
	switch {
	case !f.reading: // what was read last may be old
		f.reading = true
		go f.loop(context.WithoutCancel(ctx))
	case f.last != nil:
		told <- struct{}{}
	}
	return told, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.pages, told)
	}
}

// loop reads until no page is open.
func (f *feed) loop(ctx context.Context) {
	for {
		s := f.now()
		if !f.tell() {
			return
		}
		pause := max(interval, slowness*s.took)
		if !s.store.OK { // it costs the store little
			pause = min(pause, readLimit)
		}
		_ = clock.Sleep(ctx, f.clock, pause) // ctx does not end
	}
}

// tell tells all pages that there is a snapshot. It returns false, and ends the loop, if
// there is no page.
func (f *feed) tell() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.pages) == 0 {
		f.reading = false
		return false
	}
	for page := range f.pages {
		select {
		case page <- struct{}{}:
		default: // it has not read the last one yet
		}
	}
	return true
}

// latest returns the last snapshot of the loop.
func (f *feed) latest() *snapshot {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// history reads events of an election, newest first. A limit of zero reads all.
func (f *feed) history(ctx context.Context, name string, limit int) ([]election.Event, error) {
	ctx, cancel := clock.WithTimeout(ctx, f.clock, readLimit)
	defer cancel()
	return kv.ReadTransact(ctx, f.db, func(tr kv.ReadTransaction) ([]election.Event, error) {
		return election.New(f.space.Sub(name)).History(tr, limit)
	})
}
