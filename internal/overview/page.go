package overview

import (
	"context"
	"errors"
	"maps"
	"sort"
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
	known []string    // all names, also those of other things
	names below.Names // where the next page begins
	last  bool
}

// readAll reads all elections up to the limit. It counts the others until the instant
// counted, so that they do not make the read fail.
func (r *Reader) readAll(ctx context.Context, counted time.Time) (all []Election, leftOut int, err error) {
	names, before := map[string]bool{}, r.known
	r.known = nil
	p := page{names: below.NewNames(r.space)}
	for !p.last && (len(all) < r.opts.Limit || leftOut == 0 || r.opts.Clock.Now().Before(counted)) {
		p, err = kv.ReadTransact(ctx, r.db, func(tr kv.ReadTransaction) (page, error) {
			return r.readPage(tr, p.names, before[:min(pageSize, len(before))])
		})
		if err != nil {
			r.known = append(r.known, before...) // those that were not read
			return nil, 0, err
		}
		r.known = append(r.known, p.known...)
		if !p.last && len(p.known) > 0 {
			before = before[sort.SearchStrings(before, p.known[len(p.known)-1]+"\x00"):]
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
			all = append(all, r.seen[f.name].next(f.name, f.overview, local, wall, r.opts.Pauses))
		}
	}
	maps.DeleteFunc(r.seen, func(name string, _ *seen) bool { return !names[name] })
	return all, leftOut, nil
}

// readPage reads the elections after names. All reads are in one wave if the names are as
// expected. The reads that find other names come one after the other.
func (r *Reader) readPage(tr kv.ReadTransaction, names below.Names, expected []string) (page, error) {
	p := page{names: names.Ahead(tr, expected)}
	begun := make(map[string]*election.OverviewRead, len(expected))
	for _, name := range expected {
		begun[name] = r.begin(tr, name)
	}
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
		if name == "" {
			continue
		}
		if begun[name] == nil {
			begun[name] = r.begin(tr, name)
		}
		reads = append(reads, begun[name])
		p.found = append(p.found, found{name: name})
		p.known = append(p.known, name)
	}
	p.names = p.names.Later()
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

func (r *Reader) begin(tr kv.ReadTransaction, name string) *election.OverviewRead {
	return election.New(r.space.Sub(name)).BeginOverview(tr, newestEvents)
}
