package kvtest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// numbered returns the i-th of a thousand ordered keys.
func numbered(i int) string { return fmt.Sprintf("n%03d", i) }

// rangeCases cover the rows that a range read returns.
var rangeCases = slices.Concat(rangeRows(), []Case{
	{
		Name:  "Ranges/Many",
		Shows: "a range of many rows is returned completely and in order, in both directions",
		run:   manyRows,
	},
	{
		Name:  "Ranges/LargeValues",
		Shows: "a range of many bytes is returned completely",
		run: func(t *env) {
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
		Shows: "ClearRange clears its begin and the keys after it, but not its end",
		run: func(t *env) {
			t.put(fiveRows...)
			tr := t.begin()
			tr.ClearRange(t.key("d"), t.key("h"))
			t.commit(tr)
			require.Equal(t, "b=1 h=4 j=5", t.storedAll())
		},
	},
	{
		Name:  "Ranges/EmptyClearRange",
		Shows: "ClearRange from a key to itself clears nothing",
		run: func(t *env) {
			t.put(fiveRows...)
			tr := t.begin()
			tr.ClearRange(t.key("d"), t.key("d"))
			t.commit(tr)
			require.Equal(t, "b=1 d=2 f=3 h=4 j=5", t.storedAll())
		},
	},
	{
		Name:  "Ranges/InvertedClearRange",
		Shows: "ClearRange of an inverted range fails with 2005 at the next read and at the commit",
		run: func(t *env) {
			t.put(fiveRows...)
			tr := t.begin()
			tr.ClearRange(t.key("h"), t.key("d"))
			t.getFails(tr, "b", kv.CodeInvertedRange)
			t.commitFails(tr, kv.CodeInvertedRange)
			require.Equal(t, "b=1 d=2 f=3 h=4 j=5", t.storedAll())
		},
	},
})

// rangeRows returns a case per row of the table.
func rangeRows() []Case {
	cases := make([]Case, 0, len(rangeTable))
	for _, c := range rangeTable {
		cases = append(cases, Case{Name: "Ranges/" + c.name, Shows: c.shows, run: func(t *env) {
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
	{"All", "a range read without options returns all rows in order", "", "", kv.RangeOptions{}, "b=1 d=2 f=3 h=4 j=5"},
	{"Reverse", "a reverse read returns the rows in reverse order", "", "", kv.RangeOptions{Reverse: true}, "j=5 h=4 f=3 d=2 b=1"},
	{"Limit", "a limit returns the first rows", "", "", kv.RangeOptions{Limit: 2}, firstRows},
	{"LimitAndReverse", "a limit with reverse returns the last rows", "", "", kv.RangeOptions{Limit: 2, Reverse: true}, "j=5 h=4"},
	{"LimitBeyond", "a limit above the number of rows returns all rows", "", "", kv.RangeOptions{Limit: 6}, "b=1 d=2 f=3 h=4 j=5"},
	{"LimitExact", "a limit equal to the number of rows returns all rows", "", "", kv.RangeOptions{Limit: 5, Reverse: true}, "j=5 h=4 f=3 d=2 b=1"},
	{"Bounds", "the begin is included and the end is excluded", "d", "h", kv.RangeOptions{}, "d=2 f=3"},
	{"BoundsReverse", "in a reverse read, too, the begin is included and the end is excluded", "d", "h", kv.RangeOptions{Reverse: true}, "f=3 d=2"},
	{"BoundsBetweenRows", "the bounds need not exist as keys", "c", "g", kv.RangeOptions{}, "d=2 f=3"},
	{"LimitInBounds", "a limit applies within the bounds", "c", "j", kv.RangeOptions{Limit: 1, Reverse: true}, "h=4"},
	{"NoRows", "a range without rows returns nothing", "k", "z", kv.RangeOptions{}, ""},
	{"Empty", "a range from a key to itself returns nothing", "d", "d", kv.RangeOptions{}, ""},
	{"Inverted", "a range that ends before it begins returns nothing", "h", "d", kv.RangeOptions{}, ""},
}

func manyRows(t *env) {
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
