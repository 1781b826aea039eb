package subspace

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// mustPack packs the elements, one level deep.
func mustPack(t testing.TB, elements ...Element) []byte {
	packed, err := Tuple(elements).Pack()
	require.NoError(t, err)
	return packed
}

// reads holds all methods of a reader that read an element.
var reads = map[string]struct {
	read func(r *Reader) any
	kind Kind
	zero any
}{
	"Text":         {func(r *Reader) any { return r.Text() }, KindString, ""},
	"Int64":        {func(r *Reader) any { return r.Int64() }, KindInteger, int64(0)},
	"Uint64":       {func(r *Reader) any { return r.Uint64() }, KindInteger, uint64(0)},
	"Bool":         {func(r *Reader) any { return r.Bool() }, KindBool, false},
	"UUID":         {func(r *Reader) any { return r.UUID() }, KindUUID, [16]byte{}},
	"Versionstamp": {func(r *Reader) any { return r.Versionstamp() }, KindVersionstamp, Versionstamp{}},
	"Nested":       {func(r *Reader) any { n := r.Nested(); return n.More() }, KindNested, false},
	"Skip":         {func(r *Reader) any { r.Skip(); return nil }, KindNone, nil},
	"element":      {func(r *Reader) any { return r.element() }, KindNone, nil},
}

// oneOfEach holds one element of each kind. None of them is a zero value.
var oneOfEach = map[Kind]Element{
	KindNil:          Nil{},
	KindBytes:        Bytes("b"),
	KindString:       String("s"),
	KindNested:       Tuple{Int(1)},
	KindInteger:      Int(1),
	KindFloat32:      Float32(1),
	KindFloat64:      Float64(1),
	KindBool:         Bool(true),
	KindUUID:         UUID{1},
	KindVersionstamp: Versionstamp{User: 1},
}

func TestReaderWrongKind(t *testing.T) {
	for name, m := range reads {
		for kind, element := range oneOfEach {
			r := NewReader(mustPack(t, Int(7), element, Int(8)))
			r.Skip()
			require.Equal(t, kind, r.Peek())
			got := m.read(&r)
			if m.kind == kind || m.kind == KindNone {
				require.NoError(t, r.Err(), "%s on %v", name, kind)
				require.Equal(t, int64(8), r.Int64(), "%s on %v", name, kind)
				continue
			}
			want := "tuple element 1 at offset 2: expected " + m.kind.String() + ", found " + kind.String()
			require.EqualError(t, r.Err(), want, name)
			require.Equal(t, m.zero, got, name)
		}
	}
}

func TestReaderAtTheEnd(t *testing.T) {
	for name, m := range reads {
		r := NewReader(mustPack(t, Int(7)))
		require.Equal(t, int64(7), r.Int64())
		require.False(t, r.More())
		require.NoError(t, r.Err())
		require.Equal(t, m.zero, m.read(&r), name)
		require.ErrorContains(t, r.Err(), "tuple element 1 at offset 2: expected ", name)
		require.ErrorContains(t, r.Err(), ", found the end of the tuple", name)
	}
}

func TestReaderErrorSticks(t *testing.T) {
	for name, m := range reads {
		packed := mustPack(t, String("not an integer"), oneOfEach[max(m.kind, KindNil)])
		r := NewReader(packed)
		require.Zero(t, r.Int64())
		first := r.Err()
		require.EqualError(t, first, "tuple element 0 at offset 0: expected an integer, found a string")
		r.Skip() // would reach the element that m reads
		require.Equal(t, m.zero, m.read(&r), name)
		require.Same(t, first, r.Err(), name)
		require.False(t, r.More(), name)
		require.Equal(t, KindNone, r.Peek(), name)
	}
}

func TestReaderIntegerRange(t *testing.T) {
	above := new(big.Int).Lsh(big.NewInt(1), 64)
	for _, c := range []struct {
		element           Element
		int64Err, uintErr string
	}{
		{Int(math.MaxInt64), "", ""},
		{Int(math.MinInt64), "", "-9223372036854775808"},
		{Int(-1), "", "-1"},
		{Uint(math.MaxInt64 + 1), "9223372036854775808", ""},
		{Uint(math.MaxUint64), "18446744073709551615", ""},
		{BigInt{above}, "an integer of 9 bytes", "an integer of 9 bytes"},
		{BigInt{new(big.Int).Neg(above)}, "an integer of 9 bytes", "an integer of 9 bytes"},
		{BigInt{big.NewInt(math.MinInt64 + 1)}, "", "-9223372036854775807"},
		{BigInt{new(big.Int).Sub(big.NewInt(math.MinInt64), big.NewInt(1))}, "-9223372036854775809", "-9223372036854775809"},
	} {
		packed := mustPack(t, Nil{}, c.element)
		check := func(read func(r *Reader) bool, kind, want string) {
			r := NewReader(packed)
			r.Skip()
			require.Equal(t, want == "", read(&r), "%v", c.element)
			if want == "" {
				require.NoError(t, r.Err())
				return
			}
			require.EqualError(t, r.Err(),
				"tuple element 1 at offset 1: expected an integer that fits "+kind+", found "+want)
		}
		check(func(r *Reader) bool { return r.Int64() != 0 }, "int64", c.int64Err)
		check(func(r *Reader) bool { return r.Uint64() != 0 }, "uint64", c.uintErr)
	}
}

// TestReaderMinusZero reads a negative integer whose magnitude is zero. No codec writes
// it.
func TestReaderMinusZero(t *testing.T) {
	r := NewReader([]byte{0x13, 0xff, 0x13, 0xff})
	require.Zero(t, r.Int64())
	require.Zero(t, r.Uint64())
	require.NoError(t, r.Err())
	require.False(t, r.More())
}

// TestReaderIndexAfterNested: the element index in errors is right after a nested tuple,
// no matter which method moved past the tuple.
func TestReaderIndexAfterNested(t *testing.T) {
	for name, pass := range map[string]func(r *Reader){
		"Skip":    func(r *Reader) { r.Skip() },
		"Nested":  func(r *Reader) { r.Nested() },
		"element": func(r *Reader) { r.element() },
	} {
		r := NewReader(mustPack(t, Int(0), Tuple{Int(0), Tuple{}, Int(0)}, String("s")))
		r.Skip()
		pass(&r)
		r.Int64()
		require.EqualError(t, r.Err(), "tuple element 2 at offset 7: expected an integer, found a string", name)
	}
}

func TestReaderText(t *testing.T) {
	for _, valid := range []string{"", "a", "\x00", "\ufffd", "\U0001f525"} {
		r := NewReader(AppendString(nil, valid))
		require.Equal(t, valid, r.Text())
		require.NoError(t, r.Err())
	}
	// These include surrogates, an overlong form and a number above the last code point.
	for _, invalid := range []string{"\xff", "a\x80", "\xc3", "\xed\xa0\xbd", "\xc0\x80", "\xf4\x90\x80\x80"} {
		r := NewReader(AppendString(nil, invalid))
		require.Empty(t, r.Text())
		require.ErrorContains(t, r.Err(), "not valid UTF-8")

		tuple, err := Unpack(AppendString(nil, invalid))
		require.NoError(t, err)
		require.Equal(t, Tuple{String(invalid)}, tuple)
	}
}

func TestReaderNested(t *testing.T) {
	inner := Tuple{Nil{}, String("in"), Tuple{Nil{}, Int(5)}, Nil{}}
	r := NewReader(mustPack(t, String("out"), inner, Int(9)))
	require.Equal(t, "out", r.Text())
	nested := r.Nested()
	require.Equal(t, int64(9), r.Int64(), "the outer reader continues after the nested tuple")
	require.False(t, r.More())

	nested.Skip()
	require.Equal(t, "in", nested.Text())
	deeper := nested.Nested()
	nested.Skip()
	require.False(t, nested.More())
	require.NoError(t, nested.Err())

	deeper.Skip()
	require.Empty(t, deeper.Text())
	require.EqualError(t, deeper.Err(),
		"tuple element 1, nested 2 deep, at offset 15: expected a string, found an integer")
	require.NoError(t, nested.Err(), "an error of the inner reader does not affect the outer one")
	require.NoError(t, r.Err())
}

func TestReaderNestedPastTheEnd(t *testing.T) {
	r := NewReader(mustPack(t, Tuple{Int(1)}, Int(2)))
	nested := r.Nested()
	require.Equal(t, int64(1), nested.Int64())
	require.Zero(t, nested.Int64())
	require.ErrorContains(t, nested.Err(), "found the end of the tuple")

	r = NewReader([]byte{codeNested, codeIntegerZero})
	nested = r.Nested()
	require.ErrorContains(t, r.Err(), "without its end")
	require.Equal(t, r.Err(), nested.Err())
	r = NewReader([]byte{codeNested, codeIntegerZero})
	require.Nil(t, r.element(), "it does not return a part of the tuple")
	require.ErrorContains(t, r.Err(), "without its end")
}

func TestReaderBytesAreLimited(t *testing.T) {
	packed := mustPack(t, Bytes("abc"), Bytes(""), Int(1))
	before := string(packed)
	r := NewReader(packed)
	_ = append(r.element().(Bytes), "overwrites?"...)
	empty := r.element().(Bytes)
	require.NotNil(t, empty)
	_ = append(empty, "overwrites?"...)
	require.Equal(t, before, string(packed))
}

func TestUnpackSharesNothing(t *testing.T) {
	packed := mustPack(t, Bytes("abc"), String("abc"), Tuple{Bytes("d")}, BigInt{new(big.Int).Lsh(big.NewInt(1), 100)})
	tuple, err := Unpack(packed)
	require.NoError(t, err)
	before := tuple.String()
	clear(packed)
	require.Equal(t, before, tuple.String())
}

// TestTruncation: an element that is cut off is an error.
func TestTruncation(t *testing.T) {
	for kind, element := range oneOfEach {
		packed := mustPack(t, element)
		for cut := 1; cut < len(packed); cut++ {
			_, err := Unpack(packed[:cut])
			require.ErrorContains(t, err, "truncated", "%v cut to %x", kind, packed[:cut])
		}
	}
}

func TestEveryTypeCode(t *testing.T) {
	for code := range 256 {
		packed := append([]byte{byte(code)}, make([]byte, 300)...)
		r := NewReader(packed)
		if kindOf[code] == KindNone {
			require.Equal(t, KindNone, r.Peek())
			require.ErrorContains(t, r.Err(), fmt.Sprintf("unsupported type code 0x%02x (", code))
		} else {
			require.Equal(t, kindOf[code], r.Peek())
			require.NoError(t, r.Err())
		}
	}
}

func TestReaderAllocatesNothing(t *testing.T) {
	packed := mustPack(t, Int(-5), Uint(math.MaxUint64), Bytes("bytes"), UUID{1}, Versionstamp{User: 3},
		Bool(true), Float32(1), Float64(2), Nil{}, Tuple{Nil{}, Int(7)}, String("skipped"))
	require.Zero(t, testing.AllocsPerRun(100, func() {
		r := NewReader(packed)
		r.Int64()
		r.Uint64()
		r.Skip()
		r.UUID()
		r.Versionstamp()
		r.Bool()
		r.Skip()
		r.Skip()
		r.Skip()
		nested := r.Nested()
		nested.Skip()
		nested.Int64()
		r.Skip()
		if r.More() || r.Err() != nil || nested.Err() != nil {
			panic("not read to the end")
		}
	}))
}

func TestKindNames(t *testing.T) {
	for kind := KindNone; kind <= KindVersionstamp; kind++ {
		require.False(t, strings.HasPrefix(kind.String(), "Kind("))
	}
	require.Equal(t, "Kind(200)", Kind(200).String())
}
