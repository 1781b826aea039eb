package client

import (
	"bytes"
	"slices"
	"sort"

	"github.com/fdbelection/fdbelection/kv"
)

// ownWrite is what the transaction does to one key.
type ownWrite struct {
	// at is where the write is kept: its key, or the template of a stamped one.
	at []byte
	// last is the mutation that decides, and earlier are those before it. Only
	// of a key that a versionstamp will decide are the earlier ones kept.
	last    Mutation
	earlier []Mutation
	// unreadable: only the commit will tell the value.
	unreadable bool
	// conflicts: the key is a write conflict now. A key that is yet to be stamped
	// is not; the store adds the final one.
	conflicts bool
}

func (e *ownWrite) key() []byte { return e.at }

// ownWrites is what a transaction has written, as FoundationDB's client keeps
// it: one entry per key, and ranges. A later write of a key replaces an
// earlier one, and a cleared range removes the entries in it.
type ownWrites struct {
	entries    []*ownWrite // by key
	free       []ownWrite  // room for further ones
	cleared    rangeSet
	unreadable rangeSet // where the key of a stamped write may turn up
	conflicts  rangeSet // explicit, and those of flushed writes

	// flushed are mutations that come before all others: those that lay where a
	// stamped key may turn up, at the time of that write.
	flushed []Mutation
}

// find returns where key is, or would be.
func (w *ownWrites) find(key []byte) (int, bool) {
	n := len(w.entries)
	if n == 0 {
		return 0, false
	}
	// Writes in the order of their keys are common, and cost one comparison.
	if c := bytes.Compare(w.entries[n-1].key(), key); c <= 0 {
		if c == 0 {
			return n - 1, true
		}
		return n, false
	}
	i := sort.Search(n, func(i int) bool { return bytes.Compare(w.entries[i].key(), key) >= 0 })
	return i, bytes.Equal(w.entries[i].key(), key)
}

// within returns the entries of keys in r.
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

// new returns a fresh entry.
func (w *ownWrites) new() *ownWrite {
	if len(w.free) == 0 {
		w.free = make([]ownWrite, min(4+len(w.entries), 64))
	}
	e := &w.free[0]
	w.free = w.free[1:]
	return e
}

// clear records that the keys of r are removed.
func (w *ownWrites) clear(r Range) {
	i, _ := w.find(r.Begin)
	j, _ := w.find(r.End)
	w.entries = slices.Delete(w.entries, i, j)
	w.unreadable.remove(r)
	w.cleared.add(r)
}

// putStampedKey records a write whose key the commit decides, somewhere in r.
// What was written in r before has to be applied before it, whatever its final
// key, and can be read no longer. As in FoundationDB's client the write is kept at
// its template, the offset at the end of it included: a clear of that takes it back.
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

// lookup is what own writes say of a key.
type lookup uint8

const (
	lookupUnknown    lookup = iota // ask the database
	lookupValue                    // written
	lookupCleared                  // removed
	lookupUnreadable               // decided at commit
)

// get looks key up.
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

// mutations returns all writes in the order in which they are to be applied:
// the flushed ones, then what is cleared, then the keys.
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

// writeConflicts returns the write conflict ranges, sorted and joined.
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
	if outside(key) {
		tr.deferred = kv.CodeKeyOutsideLegalRange
		return
	}
	if len(key) > MaxKeySize {
		return // there is none
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
	// An inverted range is found before the commit that has begun is.
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

// checkWrite checks a key and a value; what is wrong is deferred.
func (tr *Transaction) checkWrite(key, value []byte) bool {
	switch {
	case outside(key):
		tr.deferred = kv.CodeKeyOutsideLegalRange
	case len(key) > MaxKeySize:
		tr.deferred = kv.CodeKeyTooLarge
	case len(value) > MaxValueSize:
		tr.deferred = kv.CodeValueTooLarge
	}
	return tr.deferred == 0
}
