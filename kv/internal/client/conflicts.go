package client

import (
	"bytes"

	"github.com/fdbelection/fdbelection/kv"
)

// addReadConflict adds the parts of r that do not rest on own writes alone: what
// the transaction has set or cleared cannot be changed under it by others.
func (tr *Transaction) addReadConflict(r Range) {
	tr.conflicts = appendOutsideOf(tr.conflicts, r, tr.writes.within(r), tr.writes.cleared.within(r), &tr.arena)
}

// appendOutsideOf appends the parts of r outside of the given writes and
// cleared ranges, both sorted.
func appendOutsideOf(out []Range, r Range, writes []*ownWrite, cleared []Range, a *arena) []Range {
	begin := r.Begin
	skip := func(from, to []byte) {
		if bytes.Compare(begin, from) < 0 {
			out = append(out, Range{begin, from})
		}
		begin = maxKey(begin, to)
	}
	for len(writes) > 0 || len(cleared) > 0 {
		if len(cleared) == 0 || (len(writes) > 0 && bytes.Compare(writes[0].key(), cleared[0].Begin) < 0) {
			p := a.point(writes[0].key())
			skip(p.Begin, p.End)
			writes = writes[1:]
		} else {
			skip(cleared[0].Begin, cleared[0].End)
			cleared = cleared[1:]
		}
	}
	if bytes.Compare(begin, r.End) < 0 {
		out = append(out, Range{begin, r.End})
	}
	return out
}

// AddReadConflictKey implements kv.Transaction. Like every read conflict it is
// left out where the transaction has written the key already.
func (tr *Transaction) AddReadConflictKey(key []byte) error {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if !tr.writable() {
		return nil
	}
	if outside(key) {
		tr.deferred = kv.CodeKeyOutsideLegalRange
		return nil
	}
	tr.addReadConflict(tr.arena.point(clipKey(key)))
	return nil
}

// AddReadConflictRange implements kv.Transaction. Only an inverted range is
// answered here; everything else shows at the commit.
func (tr *Transaction) AddReadConflictRange(begin, end []byte) error {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	r, ok, err := tr.conflictRange(begin, end)
	if ok {
		tr.addReadConflict(r)
	}
	return err
}

// AddWriteConflictKey implements kv.Transaction.
func (tr *Transaction) AddWriteConflictKey(key []byte) error {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if !tr.writable() {
		return nil
	}
	if outside(key) {
		tr.deferred = kv.CodeKeyOutsideLegalRange
		return nil
	}
	tr.writes.conflicts.add(tr.arena.point(clipKey(key)))
	return nil
}

// AddWriteConflictRange implements kv.Transaction.
func (tr *Transaction) AddWriteConflictRange(begin, end []byte) error {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	r, ok, err := tr.conflictRange(begin, end)
	if ok {
		tr.writes.conflicts.add(r)
	}
	return err
}

// conflictRange checks the bounds of an explicit range and copies them.
func (tr *Transaction) conflictRange(begin, end []byte) (r Range, ok bool, err error) {
	code := checkRange(begin, end)
	if code == kv.CodeInvertedRange {
		return r, false, kv.Error{Code: code}
	}
	if !tr.writable() {
		return r, false, nil
	}
	if code != 0 {
		tr.deferred = code
		return r, false, nil
	}
	begin, end = clipKey(begin), clipKey(end)
	if bytes.Equal(begin, end) {
		return r, false, nil
	}
	return Range{tr.arena.clone(begin), tr.arena.clone(end)}, true, nil
}
