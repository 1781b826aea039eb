package kvtest

import (
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// conflictCases: a commit is checked as its read conflict ranges against the
// writes in (read version, commit version]; writes alone never conflict.
var conflictCases = slices.Concat([]Case{
	{
		Name:  "Conflicts/WritesAloneNever",
		Shows: "two transactions that write the same key and read nothing both commit",
		run: func(t *T) {
			first, second := t.pinned(), t.pinned()
			first.Set(t.key("k"), []byte("first"))
			second.Set(t.key("k"), []byte("second"))
			t.commit(first)
			t.commit(second)
			require.Equal(t, "second", t.stored("k"))
		},
	},
	{
		Name:  "Conflicts/ReadOnlyNever",
		Shows: "a transaction that only read commits although others have written what it read",
		run: func(t *T) {
			tr := t.begin()
			require.Equal(t, absent, t.get(tr, "k"))
			t.put("k", "foreign")
			t.commit(tr)
		},
	},
	{
		Name:  "Conflicts/BeforeReadVersionNever",
		Shows: "a write that was committed before the read version does not conflict",
		run: func(t *T) {
			tr := t.begin()
			t.put("k", "before")
			require.Equal(t, "before", t.get(tr, "k"))
			tr.Set(t.key("x"), []byte("1"))
			t.commit(tr)
		},
	},
	{
		Name:  "Conflicts/LoserLeavesNothing",
		Shows: "a commit that is refused with 1020 has written nothing, and its outcome is NotCommitted",
		run: func(t *T) {
			tr := t.begin()
			t.get(tr, "k")
			tr.Set(t.key("k"), []byte("loser"))
			tr.Set(t.key("x"), []byte("loser"))
			t.put("k", "winner")
			err := tr.Commit()
			t.fails(err, kv.CodeNotCommitted, "Commit")
			require.Equal(t, kv.NotCommitted, kv.OutcomeOf(err))
			require.Equal(t, "k=winner", t.storedAll())
		},
	},
	{
		Name:  "Conflicts/FirstCommitWins",
		Shows: "of two that read and write one key the first to commit wins, whichever read first",
		run: func(t *T) {
			early, late := t.pinned(), t.pinned()
			for _, tr := range []kv.OwnedTransaction{early, late} {
				t.get(tr, "k")
			}
			early.Set(t.key("k"), []byte("early"))
			late.Set(t.key("k"), []byte("late"))
			t.commit(late)
			t.commitFails(early, kv.CodeNotCommitted)
			require.Equal(t, "late", t.stored("k"))
		},
	},
}, meetings(meetingTable))

// meeting is a transaction that reads, a foreign commit between its read and
// its own commit, and whether the two conflict.
type meeting struct {
	name, shows string
	initial     []string
	read        func(t *T, tr kv.OwnedTransaction)
	foreign     func(t *T, tr kv.OwnedTransaction)
	conflict    bool
}

// meetings turns a table into cases.
func meetings(table []meeting) []Case {
	cases := make([]Case, len(table))
	for i, m := range table {
		verdict := ": no conflict"
		if m.conflict {
			verdict = ": a conflict"
		}
		cases[i] = Case{Name: m.name, Shows: m.shows + verdict, run: m.run}
	}
	return cases
}

func (m meeting) run(t *T) {
	if len(m.initial) > 0 {
		t.put(m.initial...)
	}
	tr := t.pinned()
	m.read(t, tr)
	foreign := t.begin()
	m.foreign(t, foreign)
	t.commit(foreign)
	tr.Set(t.key("own"), []byte("1"))
	if m.conflict {
		t.commitFails(tr, kv.CodeNotCommitted)
		return
	}
	t.commit(tr)
}

// The steps that the meetings share.
func reads(key string) func(t *T, tr kv.OwnedTransaction) {
	return func(t *T, tr kv.OwnedTransaction) { t.get(tr, key) }
}

func scans(begin, end string, opts kv.RangeOptions) func(t *T, tr kv.OwnedTransaction) {
	return func(t *T, tr kv.OwnedTransaction) { t.scan(tr, begin, end, opts) }
}

func sets(key, value string) func(t *T, tr kv.OwnedTransaction) {
	return func(t *T, tr kv.OwnedTransaction) { tr.Set(t.key(key), []byte(value)) }
}

func clears(key string) func(t *T, tr kv.OwnedTransaction) {
	return func(t *T, tr kv.OwnedTransaction) { tr.Clear(t.key(key)) }
}

func clearsRange(begin, end string) func(t *T, tr kv.OwnedTransaction) {
	return func(t *T, tr kv.OwnedTransaction) { tr.ClearRange(t.key(begin), t.key(end)) }
}

var (
	forwards  = kv.RangeOptions{}
	firstTwo  = kv.RangeOptions{Limit: 2}
	lastTwo   = kv.RangeOptions{Limit: 2, Reverse: true}
	fiveRows  = []string{"b", "1", "d", "2", "f", "3", "h", "4", "j", "5"}
	firstRows = "b=1 d=2"
)

var meetingTable = []meeting{
	{
		name: "Conflicts/GetThenSet", shows: "a key that was read and then set by another",
		initial: []string{"k", "old"}, read: reads("k"), foreign: sets("k", "new"), conflict: true,
	},
	{
		name: "Conflicts/GetThenSetOfSameValue", shows: "a key that was read and then set by another to the value it had",
		initial: []string{"k", "old"}, read: reads("k"), foreign: sets("k", "old"), conflict: true,
	},
	{
		name: "Conflicts/GetOfAbsentThenSet", shows: "a key that was absent when read and then set by another",
		read: reads("k"), foreign: sets("k", "new"), conflict: true,
	},
	{
		name: "Conflicts/GetThenClear", shows: "a key that was read and then cleared by another",
		initial: []string{"k", "old"}, read: reads("k"), foreign: clears("k"), conflict: true,
	},
	{
		name: "Conflicts/GetOfAbsentThenClear", shows: "a key that was absent when read and then cleared by another",
		read: reads("k"), foreign: clears("k"), conflict: true,
	},
	{
		name: "Conflicts/GetThenClearRange", shows: "a key that was read and lies inside a range cleared by another",
		read: reads("k"), foreign: clearsRange("a", "z"), conflict: true,
	},
	{
		name: "Conflicts/ClearRangeEndIsOutside", shows: "a key that was read and ends a range cleared by another",
		read: reads("k"), foreign: clearsRange("a", "k"), conflict: false,
	},
	{
		name: "Conflicts/ClearRangeBeginIsInside", shows: "a key that was read and begins a range cleared by another",
		read: reads("k"), foreign: clearsRange("k", "l"), conflict: true,
	},
	{
		name: "Conflicts/OtherKey", shows: "the key behind the one that was read, set by another",
		read: reads("k"), foreign: sets("k\x00", "1"), conflict: false,
	},
	{
		name: "Conflicts/RangeThenInsert", shows: "a key inserted into a range that was read",
		initial: fiveRows, read: scans("b", "k", forwards), foreign: sets("e", "new"), conflict: true,
	},
	{
		name: "Conflicts/EmptyRangeThenInsert", shows: "a key inserted into a range that was read and had no rows",
		read: scans("b", "k", forwards), foreign: sets("e", "new"), conflict: true,
	},
	{
		name: "Conflicts/RangeThenSetAtBegin", shows: "the begin of a range that was read, set by another",
		read: scans("b", "k", forwards), foreign: sets("b", "new"), conflict: true,
	},
	{
		name: "Conflicts/RangeThenSetAtEnd", shows: "the end of a range that was read, set by another",
		read: scans("b", "k", forwards), foreign: sets("k", "new"), conflict: false,
	},
	{
		name: "Conflicts/LimitedRangeThenSetInside", shows: "a limited range, and a key set before the last row that it answered",
		initial: fiveRows, read: scans("a", "z", firstTwo), foreign: sets("c", "new"), conflict: true,
	},
	{
		name: "Conflicts/LimitedRangeThenSetBehind", shows: "a limited range, and a key set behind the last row that it answered",
		initial: fiveRows, read: scans("a", "z", firstTwo), foreign: sets("e", "new"), conflict: false,
	},
	{
		name: "Conflicts/LimitedRangeThenSetOfLastRow", shows: "a limited range, and the last row that it answered",
		initial: fiveRows, read: scans("a", "z", firstTwo), foreign: sets("d", "new"), conflict: true,
	},
	{
		name: "Conflicts/ReverseLimitedRangeThenSetInside", shows: "a limited range read from its end, and a key set behind the last row that it answered",
		initial: fiveRows, read: scans("a", "z", lastTwo), foreign: sets("i", "new"), conflict: true,
	},
	{
		name: "Conflicts/ReverseLimitedRangeThenSetBefore", shows: "a limited range read from its end, and a key set before the last row that it answered",
		initial: fiveRows, read: scans("a", "z", lastTwo), foreign: sets("g", "new"), conflict: false,
	},
	{
		name: "Conflicts/StampedKeyIntoRange", shows: "a versionstamped key that lands in a range that was read",
		read: scans("a", "z", forwards), conflict: true,
		foreign: func(t *T, tr kv.OwnedTransaction) {
			tr.SetVersionstampedKey(t.template("k"), []byte("1"))
		},
	},
	{
		name: "Conflicts/StampedValue", shows: "a key that was read and got a versionstamped value from another",
		read: reads("k"), conflict: true,
		foreign: func(t *T, tr kv.OwnedTransaction) {
			tr.SetVersionstampedValue(t.key("k"), stampTemplate("", ""))
		},
	},
	{
		name: "Conflicts/UnawaitedGet", shows: "a read whose answer nobody awaits, and a foreign set of its key",
		read:    func(t *T, tr kv.OwnedTransaction) { tr.Get(t.key("k")) },
		foreign: sets("k", "new"), conflict: true,
	},
	{
		name: "Conflicts/UnawaitedRange", shows: "a range whose answer nobody awaits, and a foreign set in it",
		read:    func(t *T, tr kv.OwnedTransaction) { tr.GetRange(t.key("a"), t.key("z"), forwards) },
		foreign: sets("k", "new"), conflict: true,
	},
}
