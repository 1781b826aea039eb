package kvtest

import (
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// futureCases check that the result of a future does not change.
var futureCases = []Case{
	{
		Name:  "Futures/Repeatable",
		Shows: "a future returns the same result each time, even after later writes of the transaction",
		run: func(t *env) {
			t.put("a", "1", "b", "2")
			tr := t.begin()
			key, rows, version := tr.Get(t.key("a")), tr.GetRange(t.key("a"), t.key("z"), forwards), tr.GetReadVersion()
			first, err := key.Get()
			require.NoError(t, err)
			firstRows, err := rows.Get()
			require.NoError(t, err)
			firstVersion, err := version.Get()
			require.NoError(t, err)
			tr.Set(t.key("a"), []byte("own"))
			tr.Clear(t.key("b"))
			t.put("c", "other")
			for range 2 {
				again, err := key.Get()
				require.NoError(t, err)
				require.Equal(t, first, again)
				againRows, err := rows.Get()
				require.NoError(t, err)
				require.Equal(t, firstRows, againRows)
				againVersion, err := version.Get()
				require.NoError(t, err)
				require.Equal(t, firstVersion, againVersion)
			}
			require.Equal(t, "1", string(first))
			require.Len(t, firstRows, 2)
		},
	},
	{
		Name:  "Futures/AnswerSurvivesTheCommit",
		Shows: "a result that was awaited before the commit is available after it",
		run: func(t *env) {
			t.put("a", "1")
			tr := t.begin()
			future := tr.Get(t.key("a"))
			_, err := future.Get()
			require.NoError(t, err)
			stamp := tr.GetVersionstamp()
			tr.Set(t.key("a"), []byte("2"))
			t.commit(tr)
			value, err := future.Get()
			require.NoError(t, err)
			require.Equal(t, "1", string(value))
			first := t.stamp(stamp)
			require.Equal(t, first, t.stamp(stamp))
		},
	},
	{
		Name:  "Futures/AnyOrder",
		Shows: "reads can be awaited in any order",
		run: func(t *env) {
			t.put(fiveRows...)
			tr := t.begin()
			var futures []kv.Future[[]byte]
			for i := 0; i < len(fiveRows); i += 2 {
				futures = append(futures, tr.Get(t.key(fiveRows[i])))
			}
			rows := tr.GetRange(t.key(""), t.end(""), lastTwo)
			missing := tr.Snapshot().Get(t.key("missing"))
			answer, err := rows.Get()
			require.NoError(t, err)
			require.Len(t, answer, 2)
			for i, future := range slices.Backward(futures) {
				value, err := future.Get()
				require.NoError(t, err)
				require.Equal(t, fiveRows[2*i+1], string(value))
			}
			value, err := missing.Get()
			require.NoError(t, err)
			require.Nil(t, value)
		},
	},
	{
		Name:  "Futures/SameKeyTwice",
		Shows: "two pending reads of one key both succeed",
		run: func(t *env) {
			t.put("k", "v")
			tr := t.begin()
			one, two, snap := tr.Get(t.key("k")), tr.Get(t.key("k")), tr.Snapshot().Get(t.key("k"))
			for _, future := range []kv.Future[[]byte]{snap, two, one} {
				value, err := future.Get()
				require.NoError(t, err)
				require.Equal(t, "v", string(value))
			}
		},
	},
	{
		Name:  "Futures/ErrorsRepeat",
		Shows: "a failed read returns the same error each time",
		run: func(t *env) {
			tr := t.begin()
			tr.SetVersionstampedValue(t.key("k"), stampTemplate("", ""))
			future := tr.Get(t.key("k"))
			for range 2 {
				_, err := future.Get()
				t.fails(err, kv.CodeAccessedUnreadable, "Get")
			}
		},
	},
}
