package client

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// TestCommitOrder checks that clears precede sets, and that a versionstamped key
// follows all earlier writes in its range.
func TestCommitOrder(t *testing.T) {
	s := newFakeStore("s0", "stored", "s1", "stored", "z", "stored")
	tr := s.begin()
	tr.Set([]byte("s1"), []byte("set before"))
	tr.ClearRange([]byte("s"), []byte("t"))
	tr.Set([]byte("s0"), []byte("set after"))
	tr.SetVersionstampedKey(stampedTemplate("s", "!", 1), []byte("stamped"))
	tr.Set([]byte("a"), []byte("1"))
	tr.Clear([]byte("z"))
	require.NoError(t, tr.Commit())
	stamp := CommitResult{Version: 101, Batch: 7}.Stamp()
	require.Equal(t, map[string]string{
		"a": "1", "s0": "set after", "s" + string(stamp[:]) + "!": "stamped",
	}, s.data)
	require.Equal(t, []string{"a", "s..t", "z"}, show(s.commits[0].WriteConflicts))
}

// TestStampedKeyFlushes checks that an earlier clear does not remove a
// versionstamped key.
func TestStampedKeyFlushes(t *testing.T) {
	s := newFakeStore("s5", "stored")
	tr := s.begin()
	tr.ClearRange([]byte("s"), []byte("t"))
	tr.SetVersionstampedKey(stampedTemplate("s", "", 1), []byte("first"))
	tr.SetVersionstampedKey(stampedTemplate("s", "x", 1), []byte("second"))
	require.NoError(t, tr.Commit())
	stamp := CommitResult{Version: 101, Batch: 7}.Stamp()
	require.Equal(t, map[string]string{
		"s" + string(stamp[:]): "first", "s" + string(stamp[:]) + "x": "second",
	}, s.data)
}

// TestUnreadable checks that keys that only the commit determines cannot be read. A
// later Set does not change that, but a Clear does.
func TestUnreadable(t *testing.T) {
	s := newFakeStore("a", "1", "k5", "stored")
	read := func(tr *Transaction, key string) int {
		_, err := tr.Snapshot().Get([]byte(key)).Get()
		return kv.CodeOf(err)
	}
	tr := s.begin()
	tr.SetVersionstampedValue([]byte("v"), stampedTemplate("", "", 0))
	require.Equal(t, kv.CodeAccessedUnreadable, read(tr, "v"))
	tr.Set([]byte("v"), []byte("plain"))
	require.Equal(t, kv.CodeAccessedUnreadable, read(tr, "v"))
	tr.Clear([]byte("v"))
	require.Zero(t, read(tr, "v"))
	tr.Set([]byte("v"), []byte("plain"))
	require.Zero(t, read(tr, "v"))

	tr = s.begin()
	tr.SetVersionstampedKey(stampedTemplate("k", "", 1), nil)
	require.Zero(t, read(tr, "j"))
	require.Equal(t, kv.CodeAccessedUnreadable, read(tr, "k5"))
	rows, err := tr.GetRange([]byte("a"), []byte("z"), kv.RangeOptions{Limit: 1}).Get()
	require.NoError(t, err, "the limit ends the scan before the unreadable range")
	require.Equal(t, []string{"a=1"}, pairs(rows))
	for _, opts := range []kv.RangeOptions{{}, {Limit: 2}, {Reverse: true}, {Limit: 1, Reverse: true}} {
		_, err = tr.GetRange([]byte("a"), []byte("z"), opts).Get()
		require.Equal(t, kv.CodeAccessedUnreadable, kv.CodeOf(err), opts)
	}
	require.Equal(t, kv.CodeAccessedUnreadable, kv.CodeOf(tr.Commit()), "the commit waits for all reads")

	tr = s.begin()
	tr.SetVersionstampedKey(stampedTemplate("k", "", 1), nil)
	tr.ClearRange([]byte("k"), []byte("l"))
	require.Zero(t, read(tr, "k5"))
	require.NoError(t, tr.Commit())
	require.NotContains(t, s.data, "k5")
}

// TestValuesAreCopied checks that the caller may reuse its buffers.
func TestValuesAreCopied(t *testing.T) {
	s := newFakeStore()
	tr := s.begin()
	key, value := []byte("key"), []byte("value")
	tr.Set(key, value)
	f := tr.Get([]byte("other"))
	key[0], value[0] = 'X', 'X'
	require.Equal(t, "value", get(t, tr.Get([]byte("key"))))
	require.Equal(t, "(none)", get(t, f))
	require.NoError(t, tr.Commit())
	require.Equal(t, map[string]string{"key": "value"}, s.data)
}

// TestEmptyValue checks that an empty value is not nil.
func TestEmptyValue(t *testing.T) {
	s := newFakeStore()
	tr := s.begin()
	tr.Set([]byte("k"), nil)
	v, err := tr.Get([]byte("k")).Get()
	require.NoError(t, err)
	require.NotNil(t, v)
	require.Empty(t, v)
}

// TestDeferredErrors checks that an invalid write makes the next read and the
// commit fail, and that later writes are ignored.
func TestDeferredErrors(t *testing.T) {
	long, big := make([]byte, MaxKeySize+1), make([]byte, MaxValueSize+1)
	k := []byte("k")
	for name, c := range map[string]struct {
		code  int
		write func(tr *Transaction)
	}{
		"long key":                 {kv.CodeKeyTooLarge, func(tr *Transaction) { tr.Set(long, nil) }},
		"long stamped key":         {kv.CodeKeyTooLarge, func(tr *Transaction) { tr.SetVersionstampedKey(long, nil) }},
		"big value":                {kv.CodeValueTooLarge, func(tr *Transaction) { tr.Set(k, big) }},
		"big stamped value":        {kv.CodeValueTooLarge, func(tr *Transaction) { tr.SetVersionstampedValue(k, big) }},
		"system key":               {kv.CodeKeyOutsideLegalRange, func(tr *Transaction) { tr.Set([]byte("\xffx"), nil) }},
		"clear of a system key":    {kv.CodeKeyOutsideLegalRange, func(tr *Transaction) { tr.Clear([]byte("\xffx")) }},
		"clear of system keys":     {kv.CodeKeyOutsideLegalRange, func(tr *Transaction) { tr.ClearRange(k, []byte("\xffx")) }},
		"inverted clear":           {kv.CodeInvertedRange, func(tr *Transaction) { tr.ClearRange(k, []byte("a")) }},
		"no offset in a key":       {kv.CodeInvalidOperation, func(tr *Transaction) { tr.SetVersionstampedKey([]byte("abc"), nil) }},
		"no offset in a value":     {kv.CodeInvalidOperation, func(tr *Transaction) { tr.SetVersionstampedValue(k, nil) }},
		"offset past the end":      {kv.CodeInvalidOperation, func(tr *Transaction) { tr.SetVersionstampedValue(k, stampedTemplate("", "", 1)) }},
		"negative offset":          {kv.CodeInvalidOperation, func(tr *Transaction) { tr.SetVersionstampedKey(stampedTemplate("", "", -1), nil) }},
		"offset near the overflow": {kv.CodeInvalidOperation, func(tr *Transaction) { tr.SetVersionstampedKey(stampedTemplate("", "", 1<<31-1), nil) }},
		"read conflict on a system key": {kv.CodeKeyOutsideLegalRange, func(tr *Transaction) {
			_ = tr.AddReadConflictKey([]byte("\xffx"))
		}},
		"write conflict on system keys": {kv.CodeKeyOutsideLegalRange, func(tr *Transaction) {
			_ = tr.AddWriteConflictRange(k, []byte("\xffx"))
		}},
	} {
		s := newFakeStore()
		tr := s.begin()
		c.write(tr)
		tr.Set([]byte("ignored"), nil)
		_, err := tr.Get([]byte("a")).Get()
		require.Equal(t, c.code, kv.CodeOf(err), name)
		_, err = tr.GetReadVersion().Get()
		require.Equal(t, c.code, kv.CodeOf(err), name)
		require.Equal(t, c.code, kv.CodeOf(tr.Commit()), name)
		require.Equal(t, c.code, kv.CodeOf(tr.Commit()), "%s: the first commit did not begin", name)
		require.Empty(t, s.commits, name)
		tr.Reset()
		require.NoError(t, tr.Commit(), name)
	}
}

// TestLimitsAreReachable checks that the largest keys and values can be written.
func TestLimitsAreReachable(t *testing.T) {
	s := newFakeStore()
	tr := s.begin()
	tr.Set(make([]byte, MaxKeySize), make([]byte, MaxValueSize))
	tr.Clear(make([]byte, MaxKeySize+1)) // no such key exists
	tr.ClearRange([]byte("a"), []byte("a"))
	tr.ClearRange(append([]byte("b"), make([]byte, 2*MaxKeySize)...), []byte("\xff"))
	require.NoError(t, tr.Commit())
	require.Len(t, s.commits[0].Mutations, 2)
	require.Len(t, s.commits[0].Mutations[0].Key, MaxKeySize+1)
}

// TestTransactionTooLarge checks that keys, values and conflict ranges count.
func TestTransactionTooLarge(t *testing.T) {
	s := newFakeStore()
	size := func(f func(tr *Transaction)) int {
		tr := NewTransaction(t.Context(), s, Options{SizeLimit: 1})
		f(tr)
		var buf commitBuffer
		return commitSize(tr.gather(&buf))
	}
	set := func(tr *Transaction) { tr.Set([]byte("key"), make([]byte, 100)) }
	conflict := func(tr *Transaction) { set(tr); _ = tr.AddReadConflictKey([]byte("other")) }
	require.Equal(t, 3+100+mutationOverhead+3+4+rangeOverhead, size(set))
	require.Equal(t, size(set)+5+6+rangeOverhead, size(conflict))

	for _, limit := range []int{size(set), size(set) - 1} {
		tr := NewTransaction(t.Context(), s, Options{SizeLimit: limit})
		set(tr)
		stamp := tr.GetVersionstamp()
		err := tr.Commit()
		if limit == size(set) {
			require.NoError(t, err)
			continue
		}
		require.Equal(t, kv.CodeTransactionTooLarge, kv.CodeOf(err))
		require.Equal(t, kv.NotCommitted, kv.OutcomeOf(err))
		_, err = stamp.Get()
		require.Equal(t, kv.CodeInvalidVersion, kv.CodeOf(err))
	}
}
