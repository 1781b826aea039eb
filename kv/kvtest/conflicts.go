package kvtest

import (
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// conflictCases cover the conflict check of a commit.
var conflictCases = slices.Concat([]Case{
	{
		Name:  "Conflicts/WritesAloneNever",
		Shows: "two transactions that write the same key and read nothing both commit",
		run: func(t *env) {
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
		Shows: "a read-only transaction commits even if the keys it read have changed",
		run: func(t *env) {
			tr := t.begin()
			require.Equal(t, absent, t.get(tr, "k"))
			t.put("k", "other")
			t.commit(tr)
		},
	},
	{
		Name:  "Conflicts/BeforeReadVersionNever",
		Shows: "a write committed before the read version does not conflict",
		run: func(t *env) {
			tr := t.begin()
			t.put("k", "before")
			require.Equal(t, "before", t.get(tr, "k"))
			tr.Set(t.key("x"), []byte("1"))
			t.commit(tr)
		},
	},
	{
		Name:  "Conflicts/FailedCommitWritesNothing",
		Shows: "a commit that fails with 1020 writes nothing, and its outcome is NotCommitted",
		run: func(t *env) {
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
		Shows: "if two transactions read and write the same key, the first to commit succeeds and the other fails with 1020",
		run: func(t *env) {
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
}, interleavings(conflictTable))

// interleaving is a case in which another transaction commits between the reads of a
// transaction and its commit.
type interleaving struct {
	name, shows string
	initial     []string
	read        func(t *env, tr kv.OwnedTransaction)
	other       func(t *env, tr kv.OwnedTransaction)
	conflict    bool
}

// interleavings returns the cases of a table.
func interleavings(table []interleaving) []Case {
	cases := make([]Case, len(table))
	for i, m := range table {
		verdict := ": no conflict"
		if m.conflict {
			verdict = ": conflict"
		}
		cases[i] = Case{Name: m.name, Shows: m.shows + verdict, run: m.run}
	}
	return cases
}

func (m interleaving) run(t *env) {
	if len(m.initial) > 0 {
		t.put(m.initial...)
	}
	tr := t.pinned()
	m.read(t, tr)
	other := t.begin()
	m.other(t, other)
	t.commit(other)
	tr.Set(t.key("own"), []byte("1"))
	if m.conflict {
		t.commitFails(tr, kv.CodeNotCommitted)
		return
	}
	t.commit(tr)
}

// Steps of these cases.
func reads(key string) func(t *env, tr kv.OwnedTransaction) {
	return func(t *env, tr kv.OwnedTransaction) { t.get(tr, key) }
}

func scans(begin, end string, opts kv.RangeOptions) func(t *env, tr kv.OwnedTransaction) {
	return func(t *env, tr kv.OwnedTransaction) { t.scan(tr, begin, end, opts) }
}

func sets(key, value string) func(t *env, tr kv.OwnedTransaction) {
	return func(t *env, tr kv.OwnedTransaction) { tr.Set(t.key(key), []byte(value)) }
}

func clears(key string) func(t *env, tr kv.OwnedTransaction) {
	return func(t *env, tr kv.OwnedTransaction) { tr.Clear(t.key(key)) }
}

func clearsRange(begin, end string) func(t *env, tr kv.OwnedTransaction) {
	return func(t *env, tr kv.OwnedTransaction) { tr.ClearRange(t.key(begin), t.key(end)) }
}

var (
	forwards  = kv.RangeOptions{}
	firstTwo  = kv.RangeOptions{Limit: 2}
	lastTwo   = kv.RangeOptions{Limit: 2, Reverse: true}
	fiveRows  = []string{"b", "1", "d", "2", "f", "3", "h", "4", "j", "5"}
	firstRows = "b=1 d=2"
)

var conflictTable = []interleaving{
	{
		name: "Conflicts/GetThenSet", shows: "a get and a concurrent set of the key",
		initial: []string{"k", "old"}, read: reads("k"), other: sets("k", "new"), conflict: true,
	},
	{
		name: "Conflicts/GetThenSetOfSameValue", shows: "a get and a concurrent set of the key to the same value",
		initial: []string{"k", "old"}, read: reads("k"), other: sets("k", "old"), conflict: true,
	},
	{
		name: "Conflicts/GetOfAbsentThenSet", shows: "a get of an absent key and a concurrent set of it",
		read: reads("k"), other: sets("k", "new"), conflict: true,
	},
	{
		name: "Conflicts/GetThenClear", shows: "a get and a concurrent clear of the key",
		initial: []string{"k", "old"}, read: reads("k"), other: clears("k"), conflict: true,
	},
	{
		name: "Conflicts/GetOfAbsentThenClear", shows: "a get of an absent key and a concurrent clear of it",
		read: reads("k"), other: clears("k"), conflict: true,
	},
	{
		name: "Conflicts/GetThenClearRange", shows: "a get and a concurrent clear of a range around the key",
		read: reads("k"), other: clearsRange("a", "z"), conflict: true,
	},
	{
		name: "Conflicts/ClearRangeEndIsOutside", shows: "a get and a concurrent clear of a range that ends at the key",
		read: reads("k"), other: clearsRange("a", "k"), conflict: false,
	},
	{
		name: "Conflicts/ClearRangeBeginIsInside", shows: "a get and a concurrent clear of a range that begins at the key",
		read: reads("k"), other: clearsRange("k", "l"), conflict: true,
	},
	{
		name: "Conflicts/NextKey", shows: "a get and a concurrent set of the next key",
		read: reads("k"), other: sets("k\x00", "1"), conflict: false,
	},
	{
		name: "Conflicts/RangeThenInsert", shows: "a range read and a concurrent set of a new key in the range",
		initial: fiveRows, read: scans("b", "k", forwards), other: sets("e", "new"), conflict: true,
	},
	{
		name: "Conflicts/EmptyRangeThenInsert", shows: "a read of a range without rows and a concurrent set in it",
		read: scans("b", "k", forwards), other: sets("e", "new"), conflict: true,
	},
	{
		name: "Conflicts/RangeThenSetAtBegin", shows: "a range read and a concurrent set of its begin",
		read: scans("b", "k", forwards), other: sets("b", "new"), conflict: true,
	},
	{
		name: "Conflicts/RangeThenSetAtEnd", shows: "a range read and a concurrent set of its end",
		read: scans("b", "k", forwards), other: sets("k", "new"), conflict: false,
	},
	{
		name: "Conflicts/LimitedRangeThenSetInside", shows: "a range read with a limit and a concurrent set before the last row returned",
		initial: fiveRows, read: scans("a", "z", firstTwo), other: sets("c", "new"), conflict: true,
	},
	{
		name: "Conflicts/LimitedRangeThenSetAfter", shows: "a range read with a limit and a concurrent set after the last row returned",
		initial: fiveRows, read: scans("a", "z", firstTwo), other: sets("e", "new"), conflict: false,
	},
	{
		name: "Conflicts/LimitedRangeThenSetOfLastRow", shows: "a range read with a limit and a concurrent set of the last row returned",
		initial: fiveRows, read: scans("a", "z", firstTwo), other: sets("d", "new"), conflict: true,
	},
	{
		name: "Conflicts/ReverseLimitedRangeThenSetInside", shows: "a reverse range read with a limit and a concurrent set above the last row returned",
		initial: fiveRows, read: scans("a", "z", lastTwo), other: sets("i", "new"), conflict: true,
	},
	{
		name: "Conflicts/ReverseLimitedRangeThenSetBefore", shows: "a reverse range read with a limit and a concurrent set below the last row returned",
		initial: fiveRows, read: scans("a", "z", lastTwo), other: sets("g", "new"), conflict: false,
	},
	{
		name: "Conflicts/StampedKeyIntoRange", shows: "a range read and a concurrent versionstamped key in the range",
		read: scans("a", "z", forwards), conflict: true,
		other: func(t *env, tr kv.OwnedTransaction) {
			tr.SetVersionstampedKey(t.template("k"), []byte("1"))
		},
	},
	{
		name: "Conflicts/StampedValue", shows: "a get and a concurrent versionstamped value of the key",
		read: reads("k"), conflict: true,
		other: func(t *env, tr kv.OwnedTransaction) {
			tr.SetVersionstampedValue(t.key("k"), stampTemplate("", ""))
		},
	},
	{
		name: "Conflicts/UnawaitedGet", shows: "a get that is not awaited and a concurrent set of the key",
		read:  func(t *env, tr kv.OwnedTransaction) { tr.Get(t.key("k")) },
		other: sets("k", "new"), conflict: true,
	},
	{
		name: "Conflicts/UnawaitedRange", shows: "a range read that is not awaited and a concurrent set in the range",
		read:  func(t *env, tr kv.OwnedTransaction) { tr.GetRange(t.key("a"), t.key("z"), forwards) },
		other: sets("k", "new"), conflict: true,
	},
}
