package client

import (
	"bytes"
	"slices"
	"sort"

	"github.com/fdbelection/fdbelection/kv"
)

// ownWrite is what the transaction has written to one key.
type ownWrite struct {
	// at is the key, or the template of a versionstamped key.
	at []byte
	// last is the mutation that determines the value. earlier are those before it,
	// which are kept only if a versionstamp is involved.
	last    Mutation
	earlier []Mutation
	// unreadable is set if only the commit determines the value.
	unreadable bool
	// conflicts is set if the key is a write conflict. The store adds the write
	// conflict of a versionstamped key.
	conflicts bool
}

func (e *ownWrite) key() []byte { return e.at }

// ownWrites are the writes of a transaction, stored like in FoundationDB's client:
// one entry per key, and ranges. A later write of a key replaces an earlier one,
// and clearing a range removes its entries.
type ownWrites struct {
	entries    []*ownWrite // by key
	free       []ownWrite  // preallocated
	cleared    rangeSet
	unreadable rangeSet // where versionstamped keys may be
	conflicts  rangeSet // explicit ones, and those of flushed writes

	// flushed are mutations to apply before all others. They were written in the
	// range of a versionstamped key before that key was.
	flushed []Mutation
}

// find returns the index of key, or the index at which it would be.
func (w *ownWrites) find(key []byte) (int, bool) {
	n := len(w.entries)
	if n == 0 {
		return 0, false
	}
	// Writes in key order are common, and need only one comparison.
	if c := bytes.Compare(w.entries[n-1].key(), key); c <= 0 {
		if c == 0 {
			return n - 1, true
		}
		return n, false
	}
	i := sort.Search(n, func(i int) bool { return bytes.Compare(w.entries[i].key(), key) >= 0 })
	return i, bytes.Equal(w.entries[i].key(), key)
}

// within returns the entries with keys in r.
func (w *ownWrites) within(r Range) []*ownWrite {
	if len(w.entries) == 0 {
		return nil
	}
	i, _ := w.find(r.Begin)
	j, _ := w.find(r.End)
	return w.entries[i:j]
}

// put records a write of one key.
func (w *ownWrites) put(m Mutation) { w.putAt(m.Key, m) }

func (w *ownWrites) putAt(at []byte, m Mutation) {
	stamped := m.Kind != MutationSet
	i, found := w.find(at)
	if !found {
		e := w.new()
		e.at, e.last = at, m
		e.unreadable = stamped || w.unreadable.contains(at)
		e.conflicts = m.Kind != MutationStampedKey
		w.entries = slices.Insert(w.entries, i, e)
		return
	}
	e := w.entries[i]
	if e.unreadable || m.Kind == MutationStampedKey {
		e.earlier = append(e.earlier, e.last)
	}
	e.last = m
	e.unreadable = e.unreadable || stamped
	e.conflicts = e.conflicts || m.Kind != MutationStampedKey
}

// new returns a new entry.
func (w *ownWrites) new() *ownWrite {
	if len(w.free) == 0 {
		w.free = make([]ownWrite, min(4+len(w.entries), 64))
	}
	e := &w.free[0]
	w.free = w.free[1:]
	return e
}

// clear records that all keys in r are removed.
func (w *ownWrites) clear(r Range) {
	i, _ := w.find(r.Begin)
	j, _ := w.find(r.End)
	w.entries = slices.Delete(w.entries, i, j)
	w.unreadable.remove(r)
	w.cleared.add(r)
}

// putStampedKey records a write whose final key lies somewhere in r. Earlier writes
// in r must be applied before it, and can no longer be read. As in FoundationDB's
// client, the entry is stored under the template including its offset, so only a
// clear of that key removes it.
//
// For example, the template of the key "a" plus stamp is "a", ten bytes for the
// stamp, and the offset 1 in four bytes. If the read version is 0, r is from "a" and
// ten bytes 0x00 to "a", ten bytes 0xff and one 0x00.
func (w *ownWrites) putStampedKey(template []byte, m Mutation, r Range, a *arena) {
	for _, c := range w.cleared.within(r) {
		c = clip(c, r)
		w.flushed = append(w.flushed, Mutation{Kind: MutationClearRange, Key: c.Begin, Value: c.End})
		w.conflicts.add(c)
	}
	w.cleared.remove(r)
	i, _ := w.find(r.Begin)
	j, _ := w.find(r.End)
	for _, e := range w.entries[i:j] {
		w.flushed = append(append(w.flushed, e.earlier...), e.last)
		if e.conflicts {
			w.conflicts.add(a.point(e.key()))
		}
	}
	w.entries = slices.Delete(w.entries, i, j)
	w.unreadable.add(r)
	w.putAt(template, m)
}

// lookup is what the own writes say about a key.
type lookup uint8

const (
	lookupUnknown    lookup = iota // not written; ask the store
	lookupValue                    // written
	lookupCleared                  // removed
	lookupUnreadable               // determined by the commit
)

// get looks up key.
func (w *ownWrites) get(key []byte) (lookup, []byte) {
	if i, found := w.find(key); found {
		if e := w.entries[i]; !e.unreadable {
			return lookupValue, e.last.Value
		}
		return lookupUnreadable, nil
	}
	switch {
	case w.unreadable.contains(key):
		return lookupUnreadable, nil
	case w.cleared.contains(key):
		return lookupCleared, nil
	}
	return lookupUnknown, nil
}

// mutations returns all writes in the order to apply them: flushed mutations,
// clears, then keys.
func (w *ownWrites) mutations(buf []Mutation) []Mutation {
	buf = append(buf, w.flushed...)
	for _, r := range w.cleared.ranges {
		buf = append(buf, Mutation{Kind: MutationClearRange, Key: r.Begin, Value: r.End})
	}
	for _, e := range w.entries {
		buf = append(append(buf, e.earlier...), e.last)
	}
	return buf
}

// writeConflicts returns the sorted and joined write conflict ranges.
func (w *ownWrites) writeConflicts(buf []Range, a *arena) []Range {
	for _, e := range w.entries {
		if e.conflicts {
			buf = append(buf, a.point(e.key()))
		}
	}
	if len(w.cleared.ranges) == 0 && len(w.conflicts.ranges) == 0 {
		return joinSorted(buf)
	}
	buf = append(append(buf, w.cleared.ranges...), w.conflicts.ranges...)
	return normalize(buf)
}

// Set implements kv.Transaction.
func (tr *Transaction) Set(key, value []byte) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if !tr.writable() || !tr.checkWrite(key, value) {
		return
	}
	m := Mutation{Kind: MutationSet, Key: tr.arena.clone(key), Value: tr.arena.clone(value)}
	tr.writes.put(m)
	tr.ownChange(m.Key, nil, m.Value, true)
}

// Clear implements kv.Transaction.
func (tr *Transaction) Clear(key []byte) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if !tr.writable() {
		return
	}
	if isSystemKey(key) {
		tr.deferred = kv.CodeKeyOutsideLegalRange
		return
	}
	if len(key) > MaxKeySize {
		return // no such key exists
	}
	r := tr.arena.point(key)
	tr.writes.clear(r)
	tr.ownChange(r.Begin, nil, nil, true)
}

// ClearRange implements kv.Transaction.
func (tr *Transaction) ClearRange(begin, end []byte) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	code := checkRange(begin, end)
	// 2005 takes precedence over 2017.
	if tr.deferred == 0 && code == kv.CodeInvertedRange {
		tr.deferred = code
	}
	if !tr.writable() {
		return
	}
	if code != 0 {
		tr.deferred = code
		return
	}
	begin, end = clipKey(begin), clipKey(end)
	if bytes.Equal(begin, end) {
		return
	}
	r := Range{tr.arena.clone(begin), tr.arena.clone(end)}
	tr.writes.clear(r)
	tr.ownChange(r.Begin, r.End, nil, true)
}

// checkWrite checks a key and a value, and defers the error.
func (tr *Transaction) checkWrite(key, value []byte) bool {
	switch {
	case isSystemKey(key):
		tr.deferred = kv.CodeKeyOutsideLegalRange
	case len(key) > MaxKeySize:
		tr.deferred = kv.CodeKeyTooLarge
	case len(value) > MaxValueSize:
		tr.deferred = kv.CodeValueTooLarge
	}
	return tr.deferred == 0
}
