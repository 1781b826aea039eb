package monitor

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
	// two scrapes.
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

// readAll reads all elections up to the limit. It counts the others for at most half of the
// time limit, so that they do not make the scrape fail.
func (c *Elections) readAll(ctx context.Context, counted time.Time) (views []view, leftOut int, err error) {
	labels, names := map[string]bool{}, map[string]bool{}
	p := page{names: below.NewNames(c.space)}
	for !p.last && (len(views) < c.opts.Limit || leftOut == 0 || c.opts.Clock.Now().Before(counted)) {
		p, err = kv.ReadTransact(ctx, c.db, func(tr kv.ReadTransaction) (page, error) { return c.readPage(tr, p.names) })
		if err != nil {
			return nil, 0, err
		}
		local, wall := c.opts.Clock.Now(), c.opts.Clock.Wall()
		for i := range p.found {
			f := &p.found[i]
			label := safeLabel(f.name)
			if labels[label] || len(views) == c.opts.Limit {
				leftOut++
				continue
			}
			labels[label], names[f.name] = true, true
			if f.err != nil {
				views = append(views, view{name: label, unreadable: true})
				continue
			}
			if c.seen[f.name] == nil {
				c.seen[f.name] = &seen{}
			}
			views = append(views, c.seen[f.name].next(label, &f.overview, local, wall))
		}
	}
	maps.DeleteFunc(c.seen, func(name string, _ *seen) bool { return !names[name] })
	return views, leftOut, nil
}

// readPage reads the elections after names. All reads are in one wave, apart from those that
// find the names.
func (c *Elections) readPage(tr kv.ReadTransaction, names below.Names) (page, error) {
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
			reads = append(reads, election.New(c.space.Sub(name)).BeginOverview(tr, newestEvents))
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
