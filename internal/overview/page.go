package overview

import (
	"context"
	"errors"
	"sort"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/internal/below"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

const (
	// pageSize is how many elections one transaction reads, and pageReads how many names:
	// an application may keep other names below the root. A transaction of FoundationDB may
	// take five seconds.
	pageSize  = 100
	pageReads = 400
)

// await returns what a read has found below a name. The error is ErrNotInitialized if there is
// nothing of that kind, and ErrInvalidState if it cannot be read.
type await[T any] func() (T, error)

// found is what was found below a name.
type found[T any] struct {
	name  string
	value T
	err   error // ErrInvalidState
}

// walk reads everything of one kind below a subspace, page by page.
type walk[T any] struct {
	db    kv.Database
	space subspace.Subspace
	opts  Options
	begin func(tr kv.ReadTransaction, name string) await[T]
	known []string // the names of the last walk, in order
}

// page is what one transaction saw.
type page[T any] struct {
	found []found[T]
	known []string    // all names, also those of other things
	names below.Names // where the next page begins
	last  bool
}

// all calls add with what was found, up to the limit, after each transaction. It counts the
// rest until the instant counted.
func (w *walk[T]) all(ctx context.Context, counted time.Time, add func([]found[T]) error) (leftOut int, err error) {
	before, left := w.known, w.opts.Limit
	w.known = nil
	p := page[T]{names: below.NewNames(w.space)}
	for !p.last && (left > 0 || leftOut == 0 || w.opts.Clock.Now().Before(counted)) {
		p, err = kv.ReadTransact(ctx, w.db, func(tr kv.ReadTransaction) (page[T], error) {
			return w.readPage(tr, p.names, before[:min(pageSize, len(before))])
		})
		if err == nil {
			some := min(left, len(p.found))
			left, leftOut = left-some, leftOut+len(p.found)-some
			err = add(p.found[:some])
		}
		if err != nil {
			w.known = append(w.known, before...) // those that were not read
			return 0, err
		}
		w.known = append(w.known, p.known...)
		if !p.last && len(p.known) > 0 {
			before = before[sort.SearchStrings(before, p.known[len(p.known)-1]+"\x00"):]
		}
	}
	return leftOut, nil
}

// readPage reads what is after names. All reads are in one wave if the names are as expected.
// The reads that find other names come one after the other.
func (w *walk[T]) readPage(tr kv.ReadTransaction, names below.Names, expected []string) (page[T], error) {
	p := page[T]{names: names.Ahead(tr, expected)}
	ofGroup := tr.Snapshot().Get(w.space.Sub("group").Bytes())
	begun := make(map[string]await[T], len(expected))
	for _, name := range expected {
		begun[name] = w.begin(tr, name)
	}
	if value, err := ofGroup.Get(); err != nil {
		return page[T]{}, err
	} else if value != nil { // its records are neither elections nor groups
		p.names = p.names.OfGroup()
	}
	var reads []await[T]
	for range pageReads {
		rest := p.names
		name, more, err := p.names.Next(tr)
		if err != nil {
			return page[T]{}, err
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
			begun[name] = w.begin(tr, name)
		}
		reads = append(reads, begun[name])
		p.found = append(p.found, found[T]{name: name})
		p.known = append(p.known, name)
	}
	p.names = p.names.Later()
	all := p.found
	p.found = all[:0]
	for i := range all {
		f := all[i]
		f.value, f.err = reads[i]()
		switch {
		case errors.Is(f.err, fdbelection.ErrNotInitialized): // this is something else
			continue
		case f.err != nil && !errors.Is(f.err, fdbelection.ErrInvalidState):
			return page[T]{}, f.err
		}
		p.found = append(p.found, f)
	}
	return p, nil
}
