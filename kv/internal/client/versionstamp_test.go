package client

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/kv"
)

// TestVersionstamp checks that the future returns the stamp that the commit writes.
func TestVersionstamp(t *testing.T) {
	s := newFakeStore()
	tr := s.begin()
	tr.SetVersionstampedValue([]byte("k"), stampedTemplate("<", ">", 1))
	tr.SetVersionstampedKey(stampedTemplate("k", "", 1), nil)
	a, b := tr.GetVersionstamp(), tr.GetVersionstamp()
	require.False(t, a.(*stamp).Ready())
	require.NoError(t, tr.Commit())
	require.True(t, a.(*stamp).Ready())
	require.Equal(t, get(t, a), get(t, b))
	require.Equal(t, "\x00\x00\x00\x00\x00\x00\x00\x65\x00\x07", get(t, a))
	require.Equal(t, "<"+get(t, a)+">", s.data["k"])
	require.Contains(t, s.data, "k"+get(t, a))
	tr.Reset()
	require.Len(t, get(t, a), StampSize, "the stamp outlives the transaction")
}

// TestVersionstampWaits checks that Get waits for a commit on another goroutine.
func TestVersionstampWaits(t *testing.T) {
	s := newFakeStore()
	tr := s.begin()
	tr.Set([]byte("k"), nil)
	f := tr.GetVersionstamp()
	answer := make(chan string)
	go func() { v, _ := f.Get(); answer <- string(v) }()
	require.NoError(t, tr.Commit())
	require.Len(t, <-answer, StampSize)
}

// TestVersionstampFails checks the error of the stamp after each kind of failed
// commit.
func TestVersionstampFails(t *testing.T) {
	for name, c := range map[string]struct {
		answer error
		want   int
	}{
		"conflict": {errCode(kv.CodeNotCommitted), kv.CodeInvalidVersion},
		"unknown":  {errCode(kv.CodeCommitUnknownResult), kv.CodeInvalidVersion},
		"unsettled": {
			kv.Error{Code: kv.CodeTransactionTimedOut, Committing: true}, kv.CodeTransactionTimedOut,
		},
	} {
		s := newFakeStore()
		s.onCommit = func(context.Context) error { return c.answer }
		tr := s.begin()
		tr.Set([]byte("k"), nil)
		f := tr.GetVersionstamp()
		require.Equal(t, c.answer, tr.Commit())
		_, err := f.Get()
		require.Equal(t, c.want, kv.CodeOf(err), name)
	}
}

// TestVersionstampWithoutCommit checks that the stamp of a commit that never began
// stays pending until a reset or the end of the context.
func TestVersionstampWithoutCommit(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s := newFakeStore()
	for _, c := range []struct {
		end  func(tr *Transaction)
		code int
	}{
		{(*Transaction).Reset, codeBrokenPromise},
		{func(*Transaction) { cancel() }, kv.CodeTransactionCancelled},
	} {
		tr := NewTransaction(ctx, s, Options{})
		tr.SetVersionstampedValue([]byte("k"), nil)
		tr.Reset()
		tr.SetVersionstampedValue([]byte("k"), stampedTemplate("", "", 0))
		f := tr.GetVersionstamp()
		_, err := tr.Get([]byte("k")).Get()
		require.Equal(t, kv.CodeAccessedUnreadable, kv.CodeOf(err))
		require.Equal(t, kv.CodeAccessedUnreadable, kv.CodeOf(tr.Commit()))
		require.False(t, f.(*stamp).Ready())
		c.end(tr)
		_, err = f.Get()
		require.Equal(t, c.code, kv.CodeOf(err))
	}
}

// FuzzTemplate checks that a template either fails with 2000 or has room for its
// stamp.
func FuzzTemplate(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("123"))
	f.Add(stampedTemplate("", "", 0))
	f.Add(stampedTemplate("<", ">", 1))
	f.Add(stampedTemplate("", "", 1))
	f.Add(stampedTemplate("", "", -1))
	f.Fuzz(func(t *testing.T, template []byte) {
		if len(template) > 1000 || (len(template) > 0 && template[0] == 0xff) {
			return
		}
		_, offset, ok := cutOffset(template)
		for _, write := range []func(tr *Transaction){
			func(tr *Transaction) { tr.SetVersionstampedKey(template, nil) },
			func(tr *Transaction) { tr.SetVersionstampedValue([]byte("k"), template) },
		} {
			s := newFakeStore()
			tr := s.begin()
			write(tr)
			err := tr.Commit()
			if !ok {
				require.Equal(t, kv.CodeInvalidOperation, kv.CodeOf(err))
				continue
			}
			require.NoError(t, err)
			require.LessOrEqual(t, offset+StampSize+offsetSize, len(template))
			require.Len(t, s.data, 1)
		}
	})
}
