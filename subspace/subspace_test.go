package subspace

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSubspacePrefix(t *testing.T) {
	s := New("app", "a\x00b")
	require.Equal(t, []byte("\x02app\x00\x02a\x00\xffb\x00"), s.Bytes())
	require.Equal(t, s, New("app").Sub("a\x00b"))
	require.Equal(t, s, FromBytes(s.Bytes()))
	require.Equal(t, Subspace{}, New())
	require.Equal(t, Subspace{}, FromBytes(nil))

	sub, err := s.SubTuple(Tuple{Int(42), Nil{}})
	require.NoError(t, err)
	require.Equal(t, append(s.Bytes(), 0x15, 42, 0x00), sub.Bytes())
	_, err = s.SubTuple(Tuple{IncompleteVersionstamp(0)})
	require.ErrorContains(t, err, "incomplete versionstamp")
}

func TestSubspaceIsImmutable(t *testing.T) {
	source := []byte("prefix")
	s := FromBytes(source)
	source[0] = 'X'
	got := s.Bytes()
	got[0] = 'Y'
	_ = append(s.Bytes(), "overwrites?"...)
	begin, end := s.Range()
	begin[0], end[0] = 'Z', 'Z'
	key, err := s.Pack(Tuple{Int(1)})
	require.NoError(t, err)
	key[0] = 'Q'
	require.Equal(t, []byte("prefix"), s.Bytes())
}

// TestSubspaceKeysAreTheirOwn: two keys of the same subspace do not share memory.
func TestSubspaceKeysAreTheirOwn(t *testing.T) {
	s := New("app")
	one, err := s.Pack(Tuple{Int(1)})
	require.NoError(t, err)
	two, err := s.Pack(Tuple{Int(2)})
	require.NoError(t, err)
	_ = append(one, "overwrites?"...)
	require.Equal(t, append(s.Bytes(), 0x15, 1), one)
	require.Equal(t, append(s.Bytes(), 0x15, 2), two)
}

func TestSubspaceUnpack(t *testing.T) {
	s := New("app")
	tuple := Tuple{String("candidates"), Int(7)}
	key, err := s.Pack(tuple)
	require.NoError(t, err)
	got, err := s.Unpack(key)
	require.NoError(t, err)
	require.Equal(t, tuple, got)

	got, err = s.Unpack(s.Bytes())
	require.NoError(t, err)
	require.Equal(t, Tuple{}, got)

	_, err = s.Unpack([]byte("\x02apple\x00"))
	require.ErrorIs(t, err, ErrNotInSubspace)
	require.EqualError(t, err, `key is not in the subspace: b"\x02apple\x00" does not begin with b"\x02app\x00"`)
	_, err = s.Unpack(nil)
	require.ErrorIs(t, err, ErrNotInSubspace)
	_, err = s.Unpack([]byte(strings.Repeat("x", 500)))
	require.ErrorContains(t, err, `x"... (500 bytes) does not begin`)
	_, err = s.Unpack([]byte(strings.Repeat("x", 100)))
	require.ErrorContains(t, err, `b"`+strings.Repeat("x", 100)+`" does not begin`)
	_, err = s.Unpack([]byte(strings.Repeat("x", 101)))
	require.ErrorContains(t, err, `b"`+strings.Repeat("x", 100)+`"... (101 bytes) does not begin`)

	_, err = s.Unpack(append(key, 0xff))
	require.ErrorContains(t, err, "tuple element 2 at offset 19: unsupported type code 0xff", "the offset counts from the start of the key")
}

func TestSubspaceReader(t *testing.T) {
	s := New("app")
	key, err := s.Pack(Tuple{String("candidates"), Int(7)})
	require.NoError(t, err)
	r := s.Reader(key)
	require.Equal(t, "candidates", r.Text())
	require.Equal(t, int64(7), r.Int64())
	require.NoError(t, r.Err())
	require.False(t, r.More())

	r = New("other").Reader(key)
	require.False(t, r.More())
	require.Empty(t, r.Text())
	require.ErrorIs(t, r.Err(), ErrNotInSubspace)
}

func TestSubspaceContainsAndRange(t *testing.T) {
	s := New("app")
	begin, end := s.Range()
	require.Equal(t, []byte("\x02app\x00\x00"), begin)
	require.Equal(t, []byte("\x02app\x00\xff"), end)
	prefixEnd := []byte("\x02app\x01")

	for _, c := range []struct {
		key               string
		contains, inRange bool
	}{
		{"", false, false},
		{"\x02app", false, false},
		{"\x02apo\x00\x15\x01", false, false},
		{"\x02app\x00", true, false},
		{"\x02app\x00\x00", true, true},
		{"\x02app\x00\x33aaaaaaaaaaaa", true, true},
		{"\x02app\x00\xfe", true, true},
		{"\x02app\x00\xff", true, false},
		{"\x02app\x01", false, false},
	} {
		key := []byte(c.key)
		require.Equal(t, c.contains, s.Contains(key), "%q", key)
		require.Equal(t, c.contains, bytes.Compare(s.Bytes(), key) <= 0 && bytes.Compare(key, prefixEnd) < 0, "%q", key)
		require.Equal(t, c.inRange, bytes.Compare(begin, key) <= 0 && bytes.Compare(key, end) < 0, "%q", key)
	}
	require.True(t, Subspace{}.Contains(nil))
}

func TestSubspacePackWithVersionstamp(t *testing.T) {
	key, err := FromBytes([]byte{0xaa}).PackWithVersionstamp(Tuple{Int(1), IncompleteVersionstamp(2)})
	require.NoError(t, err)
	require.Equal(t, append(append([]byte{0xaa, 0x15, 1, 0x33}, incomplete[:]...), 0, 2, 4, 0, 0, 0), key)
	_, err = New("a").PackWithVersionstamp(Tuple{Int(1)})
	require.ErrorContains(t, err, "tuple holds 0 incomplete versionstamps")
}

func TestSubspaceString(t *testing.T) {
	require.Equal(t, `subspace ("app", "a\x00")`, New("app", "a\x00").String())
	require.Equal(t, `subspace b"\xfe\x01\x02\""`, FromBytes([]byte("\xfe\x01\x02\"")).String())
	require.Equal(t, `subspace ()`, Subspace{}.String())
}
