package kvtest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// numbered returns the i-th of a thousand keys in order.
func numbered(i int) string { return fmt.Sprintf("n%03d", i) }

// rangeCases: which rows a range answers.
var rangeCases = slices.Concat(rangeRows(), []Case{
	{
		Name:  "Ranges/Many",
		Shows: "a range of many rows is answered whole, in order, in both directions",
		run:   manyRows,
	},
	{
		Name:  "Ranges/LargeValues",
		Shows: "so is one of many bytes",
		run: func(t *T) {
			tr := t.begin()
			t.setMany(tr, 30)
			t.commit(tr)
			rows, err := t.begin().GetRange(t.key("m"), t.key("n"), forwards).Get()
			require.NoError(t, err)
			require.Len(t, rows, 30)
			for _, row := range rows {
				require.Len(t, row.Value, 99_000)
			}
		},
	},
	{
		Name:  "Ranges/ClearRange",
		Shows: "ClearRange removes its begin and what follows, and leaves its end",
		run: func(t *T) {
			t.put(fiveRows...)
			tr := t.begin()
			tr.ClearRange(t.key("d"), t.key("h"))
			t.commit(tr)
			require.Equal(t, "b=1 h=4 j=5", t.storedAll())
		},
	},
	{
		Name:  "Ranges/EmptyClearRange",
		Shows: "ClearRange from a key to itself removes nothing",
		run: func(t *T) {
			t.put(fiveRows...)
			tr := t.begin()
			tr.ClearRange(t.key("d"), t.key("d"))
			t.commit(tr)
			require.Equal(t, "b=1 d=2 f=3 h=4 j=5", t.storedAll())
		},
	},
	{
		Name:  "Ranges/InvertedClearRange",
		Shows: "one that ends before it begins fails with 2005, at the next read and at the commit",
		run: func(t *T) {
			t.put(fiveRows...)
			tr := t.begin()
			tr.ClearRange(t.key("h"), t.key("d"))
			t.getFails(tr, "b", kv.CodeInvertedRange)
			t.commitFails(tr, kv.CodeInvertedRange)
			require.Equal(t, "b=1 d=2 f=3 h=4 j=5", t.storedAll())
		},
	},
})

// rangeRows is a case per row of the table.
func rangeRows() []Case {
	cases := make([]Case, 0, len(rangeTable))
	for _, c := range rangeTable {
		cases = append(cases, Case{Name: "Ranges/" + c.name, Shows: c.shows, run: func(t *T) {
			t.put(fiveRows...)
			for what, tr := range map[string]kv.ReadTransaction{"plain": t.begin(), "snapshot": t.begin().Snapshot()} {
				require.Equal(t, c.want, t.scan(tr, c.begin, c.end, c.opts), what)
			}
		}})
	}
	return cases
}

var rangeTable = []struct {
	name, shows string
	begin, end  string
	opts        kv.RangeOptions
	want        string
}{
	{"All", "without options all rows come, in order", "", "", kv.RangeOptions{}, "b=1 d=2 f=3 h=4 j=5"},
	{"Reverse", "in reverse they come from the end", "", "", kv.RangeOptions{Reverse: true}, "j=5 h=4 f=3 d=2 b=1"},
	{"Limit", "a limit keeps the first rows", "", "", kv.RangeOptions{Limit: 2}, firstRows},
	{"LimitAndReverse", "a limit in reverse keeps the last rows", "", "", kv.RangeOptions{Limit: 2, Reverse: true}, "j=5 h=4"},
	{"LimitBeyond", "a limit above the number of rows changes nothing", "", "", kv.RangeOptions{Limit: 6}, "b=1 d=2 f=3 h=4 j=5"},
	{"LimitExact", "nor does one that equals it", "", "", kv.RangeOptions{Limit: 5, Reverse: true}, "j=5 h=4 f=3 d=2 b=1"},
	{"Bounds", "the begin is inside and the end is not", "d", "h", kv.RangeOptions{}, "d=2 f=3"},
	{"BoundsReverse", "in reverse as well", "d", "h", kv.RangeOptions{Reverse: true}, "f=3 d=2"},
	{"BoundsBetweenRows", "bounds need not be keys that are there", "c", "g", kv.RangeOptions{}, "d=2 f=3"},
	{"LimitInBounds", "limit and bounds go together", "c", "j", kv.RangeOptions{Limit: 1, Reverse: true}, "h=4"},
	{"NoRows", "a range without rows is empty", "k", "z", kv.RangeOptions{}, ""},
	{"Empty", "so is one that ends where it begins", "d", "d", kv.RangeOptions{}, ""},
	{"Inverted", "and one that ends before it begins", "h", "d", kv.RangeOptions{}, ""},
}

func manyRows(t *T) {
	const rows = 1000
	var forward, reverse []string
	tr := t.begin()
	for i := range rows {
		tr.Set(t.key(numbered(i)), fmt.Append(nil, i))
		forward = append(forward, fmt.Sprintf("%s=%d", numbered(i), i))
		reverse = append(reverse, fmt.Sprintf("%s=%d", numbered(rows-1-i), rows-1-i))
	}
	t.commit(tr)
	require.Equal(t, strings.Join(forward, " "), t.all(t.begin(), "", ""))
	require.Equal(t, strings.Join(reverse, " "), t.scan(t.begin(), "", "", kv.RangeOptions{Reverse: true}))
	require.Equal(t, strings.Join(forward[:999], " "), t.scan(t.begin(), "", "", kv.RangeOptions{Limit: 999}))
}
