package filekv

import (
	"bytes"
	"context"
	"sort"

	"go.etcd.io/bbolt"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/internal/client"
)

// answer is the result of a batch of reads.
type answer struct {
	version int64
	values  [][]byte
	rows    [][]kv.KeyValue
}

// Read implements client.Store.
func (s *store) Read(ctx context.Context, version int64, wave []*client.Read) (int64, error) {
	if version != 0 {
		if err := s.issued.check(version, s.Now()); err != nil {
			return 0, err
		}
	}
	requests := make([]client.Read, len(wave))
	for i, r := range wave {
		requests[i] = client.Read{Key: bytes.Clone(r.Key), End: bytes.Clone(r.End), Limit: r.Limit, Reverse: r.Reverse}
	}
	a, err := access(ctx, s, shared, func(*attempt) (answer, error) { return s.read(version, requests) })
	if err != nil {
		return 0, err
	}
	for i, r := range wave {
		r.Value, r.Rows = a.values[i], a.rows[i]
	}
	return a.version, nil
}

// read executes a batch of reads. The store is locked.
func (s *store) read(version int64, requests []client.Read) (answer, error) {
	a := answer{version: version, values: make([][]byte, len(requests)), rows: make([][]kv.KeyValue, len(requests))}
	err := s.view(s.id, func(b *buckets) error {
		switch {
		case version == 0:
			a.version = b.state.version
			s.issued.add(a.version, s.Now())
		case version < b.state.floor:
			return kv.Error{Code: kv.CodeTransactionTooOld}
		case version > b.state.version: // an older copy of the file was restored
			return kv.Error{Code: kv.CodeFutureVersion}
		}
		past, err := s.readAt(b, a.version)
		if err != nil {
			return err
		}
		for i := range requests {
			if requests[i].End == nil {
				a.values[i] = past.get(requests[i].Key)
			} else {
				a.rows[i] = past.scan(&requests[i])
			}
		}
		return nil
	})
	return a, err
}

// past is the data at a version. It consists of the stored data and, on top of it,
// the values that later commits have replaced.
type past struct {
	data     *bbolt.Bucket
	replaced map[string][]byte // a nil value means that there was no key
	order    []string          // sorted keys of replaced, made by the first scan
}

// readAt returns the data at a version that is still in the log.
func (s *store) readAt(b *buckets, version int64) (*past, error) {
	p := &past{data: b.data}
	if version == b.state.version {
		return p, nil
	}
	p.replaced = make(map[string][]byte)
	err := s.since(b.log, version, true, func(e logEntry) bool {
		for _, u := range e.undo {
			if _, known := p.replaced[string(u.key)]; !known { // the oldest replaced value is the right one
				p.replaced[string(u.key)] = u.value
			}
		}
		return true
	})
	return p, err
}

// get returns a copy of a value, or nil if there is none.
func (p *past) get(key []byte) []byte {
	if value, ok := p.replaced[string(key)]; ok {
		return clone(value)
	}
	return clone(p.data.Get(dataKey(key)))
}

// clone copies a value from the file's memory map. A copy of an empty value is empty
// and not nil.
func clone(value []byte) []byte {
	if value == nil {
		return nil
	}
	return append([]byte{}, value...)
}

// scan returns the rows of a range. It merges the stored rows with the replaced ones.
func (p *past) scan(r *client.Read) []kv.KeyValue {
	var rows []kv.KeyValue
	stored, old := p.cursor(r), p.oldKeys(r)
	for key, value := stored.first(); ; {
		if r.Limit > 0 && len(rows) == r.Limit {
			return rows
		}
		switch {
		case key == nil && len(old) == 0:
			return rows
		case len(old) == 0 || (key != nil && stored.before(key, old[0])):
			rows = append(rows, kv.KeyValue{Key: clone(key), Value: clone(value)})
			key, value = stored.next()
		default:
			if key != nil && string(key) == old[0] {
				key, value = stored.next()
			}
			if was := p.replaced[old[0]]; was != nil {
				rows = append(rows, kv.KeyValue{Key: []byte(old[0]), Value: clone(was)})
			}
			old = old[1:]
		}
	}
}

// oldKeys returns the replaced keys in a range, in scan order.
func (p *past) oldKeys(r *client.Read) []string {
	if len(p.replaced) == 0 {
		return nil
	}
	if p.order == nil {
		p.order = make([]string, 0, len(p.replaced))
		for key := range p.replaced {
			p.order = append(p.order, key)
		}
		sort.Strings(p.order)
	}
	from, to := sort.SearchStrings(p.order, string(r.Key)), sort.SearchStrings(p.order, string(r.End))
	if from >= to {
		return nil
	}
	if !r.Reverse {
		return p.order[from:to]
	}
	backwards := make([]string, 0, to-from)
	for i := to - 1; i >= from; i-- {
		backwards = append(backwards, p.order[i])
	}
	return backwards
}

// rangeCursor iterates over the stored keys of a range. It returns keys without their
// prefix, and nil at the end.
type rangeCursor struct {
	c          *bbolt.Cursor
	begin, end []byte
	reverse    bool
}

func (p *past) cursor(r *client.Read) *rangeCursor {
	return &rangeCursor{c: p.data.Cursor(), begin: dataKey(r.Key), end: dataKey(r.End), reverse: r.Reverse}
}

func (c *rangeCursor) first() (key, value []byte) {
	if !c.reverse {
		return c.within(c.c.Seek(c.begin))
	}
	if k, _ := c.c.Seek(c.end); k == nil {
		return c.within(c.c.Last())
	}
	return c.within(c.c.Prev())
}

func (c *rangeCursor) next() (key, value []byte) {
	if c.reverse {
		return c.within(c.c.Prev())
	}
	return c.within(c.c.Next())
}

func (c *rangeCursor) within(key, value []byte) (k, v []byte) {
	if key == nil || bytes.Compare(key, c.begin) < 0 || bytes.Compare(key, c.end) >= 0 {
		return nil, nil
	}
	return key[1:], value
}

// before reports whether key comes before old in scan order.
func (c *rangeCursor) before(key []byte, old string) bool {
	if c.reverse {
		return string(key) > old
	}
	return string(key) < old
}
