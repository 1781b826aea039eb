package kvtest

import (
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/testseed"
	"github.com/fdbelection/fdbelection/kv"
)

// keyCases cover keys and values.
var keyCases = []Case{
	{
		Name:  "Keys/AnyBytes",
		Shows: "keys and values may contain any bytes, and keys are ordered bytewise",
		run:   anyBytes,
	},
	{
		Name:  "Keys/EmptyValue",
		Shows: "an empty value is distinct from an absent key",
		run: func(t *env) {
			for _, empty := range [][]byte{{}, nil} {
				tr := t.begin()
				tr.Set(t.key("k"), empty)
				t.isEmptyNotAbsent(tr, "own write")
				t.commit(tr)
				t.isEmptyNotAbsent(t.begin(), "stored value")
				t.drop("k")
			}
			value, err := t.begin().Get(t.key("k")).Get()
			require.NoError(t, err)
			require.Nil(t, value)
			tr := t.begin()
			tr.Clear(t.key("k"))
			value, err = tr.Get(t.key("k")).Get()
			require.NoError(t, err)
			require.Nil(t, value, "cleared by the same transaction")
		},
	},
	{
		Name:  "Keys/CallerReusesBuffers",
		Shows: "a committed value does not change if the caller modifies its buffers",
		run: func(t *env) {
			key, value := t.key("k"), []byte("value")
			tr := t.begin()
			tr.Set(key, value)
			t.commit(tr)
			clear(value)
			clear(key[len(t.Prefix):])
			require.Equal(t, "k=value", t.storedAll())
		},
	},
	{
		Name:  "Keys/PrefixOfAnotherKey",
		Shows: "a key that is a prefix of another is a separate key, and sorts before it",
		run: func(t *env) {
			t.put("a", "1", "aa", "2", "a\x00", "3", "ab", "4")
			t.drop("aa")
			require.Equal(t, "a=1 a\x00=3 ab=4", t.storedAll())
			require.Equal(t, "1", t.stored("a"))
		},
	},
	{
		Name:  "Keys/Empty",
		Shows: "the empty key is a valid key",
		Needs: []Capability{KeySpace},
		run: func(t *env) {
			tr := t.begin()
			tr.Set([]byte{}, []byte("v"))
			t.commit(tr)
			rows, err := t.begin().GetRange(nil, []byte{0xff}, forwards).Get()
			require.NoError(t, err)
			require.Equal(t, []kv.KeyValue{{Key: []byte{}, Value: []byte("v")}}, rows)
			value, err := t.begin().Get(nil).Get()
			require.NoError(t, err)
			require.Equal(t, "v", string(value))
		},
	},
	{
		Name:  "Keys/WholeSpace",
		Shows: "a range up to 0xff contains every user key",
		Needs: []Capability{KeySpace},
		run: func(t *env) {
			tr := t.begin()
			for _, key := range []string{"\x00", "m", "\xfe\xff\xff"} {
				tr.Set([]byte(key), []byte("v"))
			}
			t.commit(tr)
			rows, err := t.begin().GetRange(nil, []byte{0xff}, forwards).Get()
			require.NoError(t, err)
			require.Len(t, rows, 3)
		},
	},
	{
		Name:  "Keys/OutsideLegalRange",
		Shows: "reads and writes of system keys, which begin with 0xff, fail with 2004",
		run: func(t *env) {
			system := []byte("\xff/x")
			_, err := t.begin().Get(system).Get()
			t.fails(err, kv.CodeKeyOutsideLegalRange, "Get")
			_, err = t.begin().GetRange(t.key("a"), system, forwards).Get()
			t.fails(err, kv.CodeKeyOutsideLegalRange, "GetRange")
			for name, write := range map[string]func(tr kv.Transaction){
				"Set":        func(tr kv.Transaction) { tr.Set(system, []byte("v")) },
				"Clear":      func(tr kv.Transaction) { tr.Clear(system) },
				"ClearRange": func(tr kv.Transaction) { tr.ClearRange(t.key("z"), system) },
			} {
				tr := t.begin()
				write(tr)
				t.fails(tr.Commit(), kv.CodeKeyOutsideLegalRange, name)
			}
		},
	},
}

func (t *env) isEmptyNotAbsent(tr kv.ReadTransaction, what string) {
	t.Helper()
	value, err := tr.Get(t.key("k")).Get()
	require.NoError(t, err, what)
	require.NotNil(t, value, what)
	require.Empty(t, value, what)
	rows, err := tr.GetRange(t.key("k"), t.key("l"), forwards).Get()
	require.NoError(t, err, what)
	require.Len(t, rows, 1, what)
	require.NotNil(t, rows[0].Value, what)
	require.Empty(t, rows[0].Value, what)
}

// anyBytes stores all one-byte keys and random longer keys.
func anyBytes(t *env) {
	random := testseed.Random(t)
	keys := map[string]bool{}
	for b := range 256 {
		keys["x"+string([]byte{byte(b)})] = true
	}
	for len(keys) < 500 {
		key := make([]byte, 1+random.IntN(12))
		for i := range key {
			key[i] = byte(random.UintN(256))
		}
		key[0] %= 0xfe // t.end("") is the end of the case's keys
		keys[string(key)] = true
	}
	var want []string
	tr := t.begin()
	for key := range keys {
		want = append(want, key)
		tr.Set(t.key(key), []byte(key))
	}
	slices.Sort(want)
	t.commit(tr)
	rows, err := t.begin().GetRange(t.key(""), t.end(""), forwards).Get()
	require.NoError(t, err)
	var got []string
	for _, row := range rows {
		require.Equal(t, string(t.key(string(row.Value))), string(row.Key))
		got = append(got, string(row.Value))
	}
	require.Equal(t, want, got)
	for _, key := range want[:50] {
		require.Equal(t, key, t.stored(key))
	}
}
