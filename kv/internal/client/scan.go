package client

import (
	"bytes"
	"slices"
	"sort"

	"github.com/fdbelection/fdbelection/kv"
)

// scan is a range read in progress. The store returns rows in one or more portions.
// They are merged with the transaction's own writes as of the time the read was
// issued.
type scan struct {
	whole   Range // what was asked for
	limit   int   // 0 means no limit
	reverse bool

	// bound is the part of whole that can be read. If blocked is set, a key that
	// only the commit determines follows bound in the direction of the scan. open
	// is the part of bound that the store has not answered yet.
	bound, open Range
	blocked     bool

	entries []*ownWrite // own writes in whole, by key
	cleared []Range     // own cleared ranges that overlap whole

	rows   []kv.KeyValue // from the store, in the order of the scan
	result []kv.KeyValue // nil until the scan is done
}

// complete reports whether the store has answered all of bound.
func (s *scan) complete() bool { return bytes.Compare(s.open.Begin, s.open.End) >= 0 }

// close makes the scan complete.
func (s *scan) close() { s.open = Range{s.bound.End, s.bound.End} }

// seen returns the part of bound whose stored rows are known, or hidden by own
// clears.
func (s *scan) seen() Range {
	switch {
	case s.complete():
		return s.bound
	case s.reverse:
		return Range{s.open.End, s.bound.End}
	default:
		return Range{s.bound.Begin, s.open.Begin}
	}
}

// skipOwn shrinks open at its near side by what own writes determine. The store is
// not asked for that.
func (s *scan) skipOwn() {
	for {
		s.skipCleared()
		if s.complete() || !s.skipEntry() {
			return
		}
	}
}

// skipEntry removes the first key of open if it is an own write.
func (s *scan) skipEntry() bool {
	near := s.open.Begin
	if s.reverse {
		if len(s.open.End) == 0 || s.open.End[len(s.open.End)-1] != 0 {
			return false // no key comes directly before it
		}
		near = s.open.End[:len(s.open.End)-1]
	}
	_, own := slices.BinarySearchFunc(s.entries, near, func(e *ownWrite, key []byte) int {
		return bytes.Compare(e.key(), key)
	})
	switch {
	case !own:
	case s.reverse:
		s.open.End = near
	default:
		s.open.Begin = append(slices.Clone(near), 0)
	}
	return own
}

// skipCleared removes from the near side of open what own clears cover.
func (s *scan) skipCleared() {
	for i := range s.cleared {
		if s.reverse {
			c := s.cleared[len(s.cleared)-1-i]
			if bytes.Compare(c.End, s.open.End) < 0 {
				return
			}
			s.open.End = minKey(s.open.End, c.Begin)
		} else {
			c := s.cleared[i]
			if bytes.Compare(c.Begin, s.open.Begin) > 0 {
				return
			}
			s.open.Begin = maxKey(s.open.Begin, c.End)
		}
	}
}

// ask fills in the request for open. Each own write may hide a row, so it asks for
// that many rows more than the limit.
func (s *scan) ask(r *Read) {
	r.Key, r.End, r.Reverse, r.Limit, r.Rows = s.open.Begin, s.open.End, s.reverse, 0, nil
	if s.limit > 0 {
		r.Limit = s.limit + len(s.entries)
	}
}

// addRows adds the answer to a request.
func (s *scan) addRows(r *Read) {
	if s.rows == nil {
		s.rows = r.Rows
	} else {
		s.rows = append(s.rows, r.Rows...)
	}
	if r.Limit == 0 || len(r.Rows) < r.Limit {
		s.close()
		return
	}
	last := r.Rows[len(r.Rows)-1].Key
	if s.reverse {
		s.open.End = last
	} else {
		s.open.Begin = append(slices.Clone(last), 0)
	}
	s.skipCleared()
}

// satisfied reports whether the limit is reached.
func (s *scan) satisfied() bool {
	if len(s.entries) == 0 && len(s.cleared) == 0 {
		return len(s.rows) >= s.limit
	}
	return len(s.merged()) >= s.limit
}

// merged returns the known rows merged with the own writes among them, up to the
// limit.
func (s *scan) merged() []kv.KeyValue {
	limit := s.limit
	if limit == 0 {
		limit = len(s.rows) + len(s.entries)
	}
	if len(s.entries) == 0 && len(s.cleared) == 0 {
		return s.rows[:min(limit, len(s.rows)):min(limit, len(s.rows))]
	}
	seen := s.seen()
	own := ownWrites{entries: s.entries, cleared: rangeSet{s.cleared}}
	entries := own.within(seen)
	out := make([]kv.KeyValue, 0, min(limit, len(s.rows)+len(entries)))
	next := func() *ownWrite {
		if s.reverse {
			return entries[len(entries)-1]
		}
		return entries[0]
	}
	drop := func() {
		if s.reverse {
			entries = entries[:len(entries)-1]
		} else {
			entries = entries[1:]
		}
	}
	rows := s.rows
	for len(out) < limit && (len(rows) > 0 || len(entries) > 0) {
		order := -1 // the stored row comes first
		if len(rows) == 0 {
			order = 1
		} else if len(entries) > 0 {
			order = bytes.Compare(rows[0].Key, next().key())
			if s.reverse {
				order = -order
			}
		}
		if order < 0 {
			if !own.cleared.contains(rows[0].Key) {
				out = append(out, rows[0])
			}
			rows = rows[1:]
			continue
		}
		e := next()
		out = append(out, kv.KeyValue{Key: e.key(), Value: e.last.Value})
		drop()
		if order == 0 {
			rows = rows[1:]
		}
	}
	return out
}

// firstUnreadable returns the position of the first unreadable key in the direction
// of a scan of r: its begin, or its end if the scan is reversed.
func (w *ownWrites) firstUnreadable(r Range, reverse bool) (at []byte, found bool) {
	nearer := func(key []byte) {
		switch {
		case !found:
			at, found = key, true
		case reverse:
			at = maxKey(at, key)
		default:
			at = minKey(at, key)
		}
	}
	for _, e := range w.within(r) {
		switch {
		case e.unreadable && reverse:
			nearer(append(slices.Clone(e.key()), 0))
		case e.unreadable:
			nearer(e.key())
		}
	}
	for _, u := range w.unreadable.within(r) {
		if u = clip(u, r); reverse {
			nearer(u.End)
		} else {
			nearer(u.Begin)
		}
	}
	return at, found
}

// find returns the index of key in rows, or the index at which it would be.
func (s *scan) find(key []byte) (int, bool) {
	i := sort.Search(len(s.rows), func(i int) bool {
		c := bytes.Compare(s.rows[i].Key, key)
		return c == 0 || (c < 0) == s.reverse
	})
	return i, i < len(s.rows) && bytes.Equal(s.rows[i].Key, key)
}

// valueOf returns the stored value of a key that the scan has read.
func (s *scan) valueOf(key []byte) []byte {
	if i, found := s.find(key); found {
		return s.rows[i].Value
	}
	return nil
}

// rowsIn returns the stored rows in span, in the given order. The scan must have
// read span.
func (s *scan) rowsIn(span Range, reverse bool) []kv.KeyValue {
	rows := []kv.KeyValue{}
	for _, row := range s.rows {
		if bytes.Compare(span.Begin, row.Key) <= 0 && bytes.Compare(row.Key, span.End) < 0 {
			rows = append(rows, row)
		}
	}
	if s.reverse != reverse {
		slices.Reverse(rows)
	}
	return rows
}
