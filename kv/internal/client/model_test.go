package client

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fdbelection/fdbelection/kv"
)

// model is a simple, slow specification of a transaction: the list of its writes,
// which is searched for every key.
type model struct {
	stored map[string]string
	writes []modelWrite
	reads  []modelRead
}

// modelWrite is a Set (end is empty), a clear or a versionstamped write.
type modelWrite struct {
	kind     MutationKind
	key, end string
	template string // of a stamped key; the key under which the write is stored
	value    string
}

// modelRead is a key or a range that the result of a read depends on, and the
// number of writes before it.
type modelRead struct {
	begin, end string
	writes     int
}

// own is the effect of the first n writes on a key.
type own struct {
	written, unreadable bool // written: set or cleared
	present             bool
	value               string
}

func (m *model) own(key string, n int) own {
	o := own{}
	for _, w := range m.writes[:n] {
		switch {
		case w.kind == MutationClearRange && key >= w.key && key < w.end:
			o = own{written: true}
		case w.kind == MutationSet && key == w.key:
			o.written, o.present, o.value = true, true, w.value
		case w.kind == MutationStampedValue && key == w.key:
			o.written, o.unreadable = true, true
		case w.kind == MutationStampedKey && key >= w.key && key < w.end:
			o = own{unreadable: true, written: key == w.template}
		}
	}
	return o
}

// get returns the value of a key, or 1036.
func (m *model) get(key string) (value string, present bool, code int) {
	o := m.own(key, len(m.writes))
	switch {
	case o.unreadable:
		return "", false, kv.CodeAccessedUnreadable
	case o.written:
		return o.value, o.present, 0
	}
	value, present = m.stored[key]
	return value, present, 0
}

// points returns the keys at which a range is evaluated: all keys that can have a
// value, and those where a stamped key may be.
func (m *model) points() []string {
	all := map[string]bool{}
	for _, k := range universe {
		all[k], all[k+"\x00"] = true, true
	}
	for _, w := range m.writes {
		if w.kind == MutationStampedKey {
			all[w.key], all[w.template] = true, true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// scan returns the rows of a range read, and the range that they depend on.
func (m *model) scan(begin, end string, limit int, reverse bool) (rows []string, on modelRead, code int) {
	on = modelRead{begin, end, len(m.writes)}
	points := m.points()
	if reverse {
		slices.Reverse(points)
	}
	for _, p := range points {
		if p < begin || p >= end {
			continue
		}
		value, present, code := m.get(p)
		if code != 0 {
			return nil, on, code
		}
		if !present {
			continue
		}
		rows = append(rows, p+"="+value)
		if len(rows) == limit {
			if reverse {
				on.begin = p
			} else {
				on.end = p + "\x00"
			}
			return rows, on, 0
		}
	}
	return rows, on, 0
}

// conflicts reports whether the commit depends on key.
func (m *model) conflicts(key string) bool {
	return slices.ContainsFunc(m.reads, func(r modelRead) bool {
		return key >= r.begin && key < r.end && !m.own(key, r.writes).written
	})
}

// result returns the data after a commit with the given stamp.
func (m *model) result(stamp string) map[string]string {
	data := maps.Clone(m.stored)
	for _, w := range m.writes {
		switch w.kind {
		case MutationClearRange:
			maps.DeleteFunc(data, func(k, _ string) bool { return k >= w.key && k < w.end })
		case MutationStampedKey:
			data[w.key[:1]+stamp] = w.value
		case MutationStampedValue:
			data[w.key] = stamp
		default:
			data[w.key] = w.value
		}
	}
	return data
}

// universe holds the keys of the random transactions.
var universe = func() []string {
	var all []string
	for _, a := range "abcd" {
		all = append(all, string(a))
		for _, b := range "abc" {
			all = append(all, string(a)+string(b))
		}
	}
	return all
}()

// TestAgainstModel runs random transactions on a Transaction and on the model.
// Results of reads, read conflicts and the data after the commit must be equal.
func TestAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newFakeStore()
		for _, k := range rapid.SliceOfDistinct(rapid.SampledFrom(universe), rapid.ID).Draw(rt, "stored") {
			s.data[k] = "s" + k
		}
		run := &modelRun{t: rt, s: s, tr: s.begin(), m: &model{stored: maps.Clone(s.data)}}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			run.step()
		}
		run.finish()
	})
}

// modelRun is one random transaction.
type modelRun struct {
	t      *rapid.T
	s      *fakeStore
	tr     *Transaction
	m      *model
	later  []func() // checks of futures that were not awaited yet
	failed bool     // a read has failed
	values int
}

func (r *modelRun) key(name string) string { return rapid.SampledFrom(universe).Draw(r.t, name) }

func (r *modelRun) span() (begin, end string) {
	begin, end = r.key("begin"), r.key("end")
	if begin > end {
		begin, end = end, begin
	}
	return begin, end
}

func (r *modelRun) step() {
	switch rapid.IntRange(0, 11).Draw(r.t, "op") {
	case 0, 1:
		r.set()
	case 2:
		k := r.key("clear")
		r.tr.Clear([]byte(k))
		r.wrote(modelWrite{kind: MutationClearRange, key: k, end: k + "\x00"})
	case 3:
		begin, end := r.span()
		r.tr.ClearRange([]byte(begin), []byte(end))
		r.wrote(modelWrite{kind: MutationClearRange, key: begin, end: end})
	case 4:
		r.stamped()
	case 5:
		begin, end := r.span()
		require.NoError(r.t, r.tr.AddReadConflictRange([]byte(begin), []byte(end)))
		r.m.reads = append(r.m.reads, modelRead{begin, end, len(r.m.writes)})
	case 6, 7:
		r.get()
	case 8, 9, 10:
		r.getRange()
	default:
		r.await()
	}
}

func (r *modelRun) wrote(w modelWrite) { r.m.writes = append(r.m.writes, w) }

func (r *modelRun) set() {
	r.values++
	k, v := r.key("set"), fmt.Sprint("v", r.values)
	r.tr.Set([]byte(k), []byte(v))
	r.wrote(modelWrite{kind: MutationSet, key: k, value: v})
}

func (r *modelRun) stamped() {
	k := r.key("stamped")
	if rapid.IntRange(0, 2).Draw(r.t, "what") > 0 {
		r.tr.SetVersionstampedValue([]byte(k), stampedTemplate("", "", 0))
		r.wrote(modelWrite{kind: MutationStampedValue, key: k})
		return
	}
	least := string(binary.BigEndian.AppendUint64([]byte(k[:1]), uint64(r.tr.readVersion))) + "\x00\x00"
	most := k[:1] + "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00"
	r.tr.SetVersionstampedKey(stampedTemplate(k[:1], "", 1), []byte("stamped"))
	r.wrote(modelWrite{kind: MutationStampedKey, key: least, end: most, template: least + "\x01\x00\x00\x00", value: "stamped"})
}

func (r *modelRun) get() {
	k, snapshot := r.key("get"), rapid.Bool().Draw(r.t, "snapshot")
	value, present, code := r.m.get(k)
	if !snapshot {
		r.m.reads = append(r.m.reads, modelRead{k, k + "\x00", len(r.m.writes)})
	}
	f := r.reader(snapshot).Get([]byte(k))
	r.expect(code, func() {
		got, err := f.Get()
		require.Equal(r.t, code, kv.CodeOf(err))
		require.Equal(r.t, present, got != nil)
		require.Equal(r.t, value, string(got))
	})
}

func (r *modelRun) getRange() {
	begin, end := r.span()
	snapshot := rapid.Bool().Draw(r.t, "snapshot")
	opts := kv.RangeOptions{Limit: rapid.IntRange(0, 3).Draw(r.t, "limit"), Reverse: rapid.Bool().Draw(r.t, "reverse")}
	rows, on, code := r.m.scan(begin, end, opts.Limit, opts.Reverse)
	if !snapshot {
		r.m.reads = append(r.m.reads, on)
	}
	f := r.reader(snapshot).GetRange([]byte(begin), []byte(end), opts)
	r.expect(code, func() {
		got, err := f.Get()
		require.Equal(r.t, code, kv.CodeOf(err))
		if code == 0 {
			require.ElementsMatch(r.t, rows, pairs(got))
			require.Equal(r.t, rows, append([]string(nil), pairs(got)...))
		}
	})
}

func (r *modelRun) reader(snapshot bool) kv.ReadTransaction {
	if snapshot {
		return r.tr.Snapshot()
	}
	return r.tr
}

// expect defers a check until the future is awaited.
func (r *modelRun) expect(code int, check func()) {
	r.failed = r.failed || code != 0
	r.later = append(r.later, check)
}

func (r *modelRun) await() {
	for _, check := range r.later {
		check()
	}
	r.later = nil
}

func (r *modelRun) finish() {
	if rapid.Bool().Draw(r.t, "await before the commit") {
		r.await()
	}
	err := r.tr.Commit()
	r.await()
	if r.failed {
		require.Equal(r.t, kv.CodeAccessedUnreadable, kv.CodeOf(err))
		return
	}
	require.NoError(r.t, err)
	stamp := CommitResult{Version: r.s.version, Batch: 7}.Stamp()
	require.Equal(r.t, r.m.result(string(stamp[:])), r.s.data)
	if len(r.s.commits) == 0 {
		return
	}
	c := r.s.commits[0]
	read, written := rangeSet{c.ReadConflicts}, rangeSet{c.WriteConflicts}
	for _, p := range r.m.points() {
		require.Equal(r.t, r.m.conflicts(p), read.contains([]byte(p)), "read conflict on %q", p)
	}
	for _, w := range r.m.writes {
		if w.kind != MutationStampedKey && w.key != w.end {
			require.True(r.t, written.contains([]byte(w.key)), "write conflict on %q", w.key)
		}
	}
	for _, ranges := range [][]Range{c.ReadConflicts, c.WriteConflicts} {
		for i, x := range ranges {
			require.Less(r.t, string(x.Begin), string(x.End))
			if i > 0 {
				require.Less(r.t, string(ranges[i-1].End), string(x.Begin), "ranges are sorted and do not touch")
			}
		}
	}
}
