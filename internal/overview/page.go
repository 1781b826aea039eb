package overview

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/below"
	"github.com/fdbelection/fdbelection/kv"
)

const (
	// pageSize is how many elections one transaction reads, and pageReads how many names:
	// an application may keep other names below the root. A transaction of FoundationDB may
	// take five seconds.
	pageSize  = 100
	pageReads = 400
	// newestEvents is how many events are read of each election: more than are added between
	// two reads.
	newestEvents = 16
)

// found is an election in a page.
type found struct {
	name     string
	overview election.Overview
	err      error // its config or leader record cannot be read
}

// page is what one transaction saw of the elections.
type page struct {
	found []found
	names below.Names // where the next page begins
	last  bool
}

// readAll reads all elections up to the limit. It counts the others until the instant
// counted, so that they do not make the read fail.
func (r *Reader) readAll(ctx context.Context, counted time.Time) (all []Election, leftOut int, err error) {
	names := map[string]bool{}
	p := page{names: below.NewNames(r.space)}
	for !p.last && (len(all) < r.opts.Limit || leftOut == 0 || r.opts.Clock.Now().Before(counted)) {
		p, err = kv.ReadTransact(ctx, r.db, func(tr kv.ReadTransaction) (page, error) { return r.readPage(tr, p.names) })
		if err != nil {
			return nil, 0, err
		}
		local, wall := r.opts.Clock.Now(), r.opts.Clock.Wall()
		for i := range p.found {
			f := &p.found[i]
			if len(all) == r.opts.Limit {
				leftOut++
				continue
			}
			names[f.name] = true
			if f.err != nil {
				all = append(all, Election{Name: f.name, Err: f.err})
				continue
			}
			if r.seen[f.name] == nil {
				r.seen[f.name] = &seen{}
			}
			all = append(all, r.seen[f.name].next(f.name, f.overview, local, wall))
		}
	}
	maps.DeleteFunc(r.seen, func(name string, _ *seen) bool { return !names[name] })
	return all, leftOut, nil
}

// readPage reads the elections after names. All reads are in one wave, apart from those that
// find the names.
func (r *Reader) readPage(tr kv.ReadTransaction, names below.Names) (page, error) {
	p := page{names: names}
	var reads []*election.OverviewRead
	for range pageReads {
		rest := p.names
		name, more, err := p.names.Next(tr)
		if err != nil {
			return page{}, err
		}
		if p.last = !more; p.last {
			break
		}
		if len(reads) == pageSize { // it only shows that there is a next page
			p.names = rest
			break
		}
		if name != "" {
			reads = append(reads, election.New(r.space.Sub(name)).BeginOverview(tr, newestEvents))
			p.found = append(p.found, found{name: name})
		}
	}
	all := p.found
	p.found = all[:0]
	for i := range all {
		f := all[i]
		f.overview, f.err = reads[i].Await()
		switch {
		case errors.Is(f.err, fdbelection.ErrNotInitialized): // this is not an election
			continue
		case f.err != nil && !errors.Is(f.err, fdbelection.ErrInvalidState):
			return page{}, f.err
		}
		p.found = append(p.found, f)
	}
	return p, nil
}
