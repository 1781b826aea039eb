package client

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestRangeSet compares a set of ranges with a set of keys.
func TestRangeSet(t *testing.T) {
	const keys = 16
	rapid.Check(t, func(rt *rapid.T) {
		var set rangeSet
		var has [keys]bool
		for range rapid.IntRange(1, 20).Draw(rt, "steps") {
			from := rapid.IntRange(0, keys-1).Draw(rt, "from")
			to := rapid.IntRange(from+1, keys).Draw(rt, "to")
			add := rapid.Bool().Draw(rt, "add")
			r := Range{[]byte{byte(from)}, []byte{byte(to)}}
			if add {
				set.add(r)
			} else {
				set.remove(r)
			}
			for i := from; i < to; i++ {
				has[i] = add
			}
		}
		for i, want := range has {
			require.Equal(rt, want, set.contains([]byte{byte(i)}), "key %d", i)
		}
		for i, r := range set.ranges {
			require.Less(rt, string(r.Begin), string(r.End))
			if i > 0 {
				require.Less(rt, string(set.ranges[i-1].End), string(r.Begin), "ranges that touch are joined")
			}
		}
		from := rapid.IntRange(0, keys-1).Draw(rt, "within")
		for _, r := range set.within(Range{[]byte{byte(from)}, []byte{byte(from + 1)}}) {
			require.True(rt, has[from])
			require.Equal(rt, Range{[]byte{byte(from)}, []byte{byte(from + 1)}}, clip(r, Range{[]byte{byte(from)}, []byte{byte(from + 1)}}))
		}
		require.Len(rt, normalize(append([]Range(nil), set.ranges...)), len(set.ranges))
	})
}

// TestWriteOverAStampedKey checks that a Set of the least key that a stamped key
// can become adds a write conflict on that key.
func TestWriteOverAStampedKey(t *testing.T) {
	s := newFakeStore()
	tr := s.begin()
	tr.SetVersionstampedKey(stampedTemplate("s", "", 1), []byte("stamped"))
	least := "s\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	tr.Set([]byte(least), []byte("plain"))
	require.NoError(t, tr.Commit())
	require.Equal(t, []string{least}, show(s.commits[0].WriteConflicts))
	require.Len(t, s.data, 2)
}
