package client

import (
	"bytes"

	"github.com/fdbelection/fdbelection/kv"
)

// addReadConflict adds r without the keys that the transaction has written itself.
// Other transactions cannot change what it reads there.
func (tr *Transaction) addReadConflict(r Range) {
	tr.conflicts = appendOutside(tr.conflicts, r, tr.writes.within(r), tr.writes.cleared.within(r), &tr.arena)
}

// appendOutside appends the parts of r that are neither in writes nor in cleared.
// Both are sorted.
func appendOutside(out []Range, r Range, writes []*ownWrite, cleared []Range, a *arena) []Range {
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

// AddReadConflictKey implements kv.Transaction. It adds nothing if the transaction
// has already written the key, like any read conflict.
func (tr *Transaction) AddReadConflictKey(key []byte) error {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if !tr.writable() {
		return nil
	}
	if isSystemKey(key) {
		tr.deferred = kv.CodeKeyOutsideLegalRange
		return nil
	}
	tr.addReadConflict(tr.arena.point(clipKey(key)))
	return nil
}

// AddReadConflictRange implements kv.Transaction. It returns only 2005. Other
// errors are deferred to the next read and the commit.
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
	if isSystemKey(key) {
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

// conflictRange checks and copies the bounds of an explicit conflict range.
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
