package client

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

func get(t *testing.T, f kv.Future[[]byte]) string {
	t.Helper()
	v, err := f.Get()
	require.NoError(t, err)
	if v == nil {
		return "(none)"
	}
	return string(v)
}

// TestOneWave checks that reads issued before the first await are sent together.
func TestOneWave(t *testing.T) {
	s := newFakeStore("a", "1", "b", "2", "c", "3")
	tr := s.begin()
	a, b := tr.Get([]byte("a")), tr.Snapshot().Get([]byte("b"))
	r := tr.GetRange([]byte("a"), []byte("z"), kv.RangeOptions{Limit: 2})
	version := tr.GetReadVersion()
	require.Empty(t, s.waves, "nothing is sent before the first await")
	require.Equal(t, "2", get(t, b))
	require.Equal(t, "1", get(t, a))
	rows, err := r.Get()
	require.NoError(t, err)
	require.Equal(t, []string{"a=1", "b=2"}, pairs(rows))
	v, err := version.Get()
	require.NoError(t, err)
	require.EqualValues(t, 100, v)
	require.Equal(t, [][]string{{"a", "b", "a"}}, s.waves)

	require.Equal(t, "(none)", get(t, tr.Get([]byte("d"))))
	require.Equal(t, [][]string{{"a", "b", "a"}, {"d"}}, s.waves)
}

// TestAnswersAreKept checks that a key that was read is not read from the store
// again.
func TestAnswersAreKept(t *testing.T) {
	s := newFakeStore("a", "1", "c", "3", "e", "5")
	tr := s.begin()
	require.Equal(t, "1", get(t, tr.Get([]byte("a"))))
	_, err := tr.GetRange([]byte("b"), []byte("f"), kv.RangeOptions{Reverse: true}).Get()
	require.NoError(t, err)
	s.data = map[string]string{"x": "never seen"}
	require.Len(t, s.waves, 2)

	require.Equal(t, "1", get(t, tr.Get([]byte("a"))))
	require.Equal(t, "3", get(t, tr.Get([]byte("c"))))
	require.Equal(t, "(none)", get(t, tr.Get([]byte("d"))))
	for _, reverse := range []bool{false, true} {
		rows, err := tr.GetRange([]byte("c"), []byte("e"), kv.RangeOptions{Reverse: reverse}).Get()
		require.NoError(t, err)
		require.Equal(t, []string{"c=3"}, pairs(rows))
	}
	require.Len(t, s.waves, 2)
	require.NoError(t, tr.Commit())
}

// TestManyReads covers transactions with many single reads, which use an index.
func TestManyReads(t *testing.T) {
	s := newFakeStore()
	tr := s.begin()
	key := func(i int) []byte { return []byte{'k', byte(i)} }
	for round := range 2 {
		for i := range 100 {
			require.Equal(t, "(none)", get(t, tr.Get(key(i))), round)
		}
	}
	require.Len(t, s.waves, 100)
}

// TestValueAsOfIssue checks that later writes do not change the result of a pending
// read.
func TestValueAsOfIssue(t *testing.T) {
	s := newFakeStore("a", "1", "b", "2", "c", "3")
	tr := s.begin()
	a := tr.Get([]byte("a"))
	r := tr.GetRange([]byte("a"), []byte("z"), kv.RangeOptions{})
	tr.Set([]byte("a"), []byte("own"))
	tr.Clear([]byte("b"))
	after := tr.GetRange([]byte("a"), []byte("z"), kv.RangeOptions{})
	require.Equal(t, "1", get(t, a))
	rows, err := r.Get()
	require.NoError(t, err)
	require.Equal(t, []string{"a=1", "b=2", "c=3"}, pairs(rows))
	rows, err = after.Get()
	require.NoError(t, err)
	require.Equal(t, []string{"a=own", "c=3"}, pairs(rows))
}

// TestUnawaitedReads checks that reads that are not awaited take part in the
// commit.
func TestUnawaitedReads(t *testing.T) {
	s := newFakeStore("a", "1")
	tr := s.begin()
	tr.Get([]byte("a"))
	tr.GetRange([]byte("c"), []byte("d"), kv.RangeOptions{})
	tr.Set([]byte("x"), nil)
	require.NoError(t, tr.Commit())
	require.Equal(t, []string{"a", "c..d"}, show(s.commits[0].ReadConflicts))

	s.onRead = func(context.Context) error { return errCode(kv.CodeTransactionTooOld) }
	tr = s.begin()
	tr.Get([]byte("a"))
	require.Equal(t, kv.CodeTransactionTooOld, kv.CodeOf(tr.Commit()), "even if there is nothing to write")
}

// TestFailedWave checks that an error of the store fails every read and the commit.
func TestFailedWave(t *testing.T) {
	s := newFakeStore("a", "1")
	tr := s.begin()
	s.onRead = func(context.Context) error { return errCode(kv.CodeProcessBehind) }
	a, r := tr.Get([]byte("a")), tr.GetRange([]byte("a"), []byte("b"), kv.RangeOptions{})
	for range 2 {
		_, err := a.Get()
		require.Equal(t, kv.CodeProcessBehind, kv.CodeOf(err))
		_, err = r.Get()
		require.Equal(t, kv.CodeProcessBehind, kv.CodeOf(err))
	}
	_, err := tr.GetReadVersion().Get()
	require.Equal(t, kv.CodeProcessBehind, kv.CodeOf(err))
	s.onRead = nil
	require.Equal(t, kv.CodeProcessBehind, kv.CodeOf(tr.Commit()))
	require.NoError(t, tr.OnError(errCode(kv.CodeProcessBehind)))
	require.Equal(t, "1", get(t, tr.Get([]byte("a"))))
}

// TestHiddenRows checks that a limited read asks for more rows if own writes hide
// those that it received.
func TestHiddenRows(t *testing.T) {
	for _, reverse := range []bool{false, true} {
		s := newFakeStore()
		for c := 'a'; c <= 'z'; c++ {
			s.data[string(c)] = "v"
		}
		tr := s.begin()
		tr.ClearRange([]byte("c"), []byte("x"))
		tr.Clear([]byte("b"))
		tr.Set([]byte("y"), []byte("own"))
		rows, err := tr.GetRange([]byte("a"), []byte("zz"), kv.RangeOptions{Limit: 4, Reverse: reverse}).Get()
		require.NoError(t, err)
		if reverse {
			require.Equal(t, []string{"z=v", "y=own", "x=v", "a=v"}, pairs(rows))
		} else {
			require.Equal(t, []string{"a=v", "x=v", "y=own", "z=v"}, pairs(rows))
		}
	}
}

// TestKeysOutside covers system keys and keys that are too long to exist.
func TestKeysOutside(t *testing.T) {
	s := newFakeStore()
	tr := s.begin()
	_, err := tr.Get([]byte("\xff")).Get()
	require.Equal(t, kv.CodeKeyOutsideLegalRange, kv.CodeOf(err))
	_, err = tr.GetRange([]byte("a"), []byte("\xff\x00"), kv.RangeOptions{}).Get()
	require.Equal(t, kv.CodeKeyOutsideLegalRange, kv.CodeOf(err))
	_, err = tr.GetRange([]byte("a"), []byte("b"), kv.RangeOptions{Limit: -1}).Get()
	require.Equal(t, codeRangeLimitsInvalid, kv.CodeOf(err))
	require.Equal(t, "(none)", get(t, tr.Get(make([]byte, MaxKeySize+1))))
	for _, r := range [][2][]byte{{[]byte("b"), []byte("a")}, {[]byte("a"), nil}, {nil, nil}} {
		rows, err := tr.GetRange(r[0], r[1], kv.RangeOptions{}).Get()
		require.NoError(t, err)
		require.Empty(t, rows)
	}
	rows, err := tr.GetRange(nil, []byte("\xff"), kv.RangeOptions{}).Get()
	require.NoError(t, err)
	require.Empty(t, rows)
	require.NoError(t, tr.Commit(), "such reads do not affect the commit")
}
