package subspace

import (
	"bytes"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPackIntegerLimit(t *testing.T) {
	limit := new(big.Int).Lsh(big.NewInt(1), 8*maxIntegerLen)
	largest := new(big.Int).Sub(limit, big.NewInt(1))
	for _, v := range []*big.Int{largest, new(big.Int).Neg(largest)} {
		got, err := Unpack(mustPack(t, BigInt{v}))
		require.NoError(t, err)
		require.Zero(t, got[0].(BigInt).Value.Cmp(v))
	}
	for _, v := range []*big.Int{limit, new(big.Int).Neg(limit)} {
		before := v.String()
		_, err := Tuple{Nil{}, Tuple{BigInt{v}}}.Pack()
		require.EqualError(t, err, "tuple element 1: integer of 256 bytes: the limit of a tuple is 255")
		require.Equal(t, before, v.String())
		_, err = Tuple{IncompleteVersionstamp(0), BigInt{v}}.PackWithVersionstamp(nil)
		require.ErrorContains(t, err, "integer of 256 bytes")
	}
}

func TestPackNilValues(t *testing.T) {
	require.Equal(t, mustPack(t, Nil{}, Tuple{Nil{}}), mustPack(t, nil, Tuple{nil}))
	require.Equal(t, mustPack(t, Int(0)), mustPack(t, BigInt{}))
	require.Equal(t, mustPack(t, Bytes{}), mustPack(t, Bytes(nil)))
	require.Equal(t, "(nil, 0)", Tuple{nil, BigInt{}}.String())
}

func TestPackDoesNotChangeIntegers(t *testing.T) {
	v := new(big.Int).Neg(new(big.Int).Lsh(big.NewInt(1), 100))
	before := v.String()
	mustPack(t, BigInt{v})
	require.Equal(t, before, v.String())
}

func TestAppendTuple(t *testing.T) {
	dst := append(make([]byte, 0, 64), "prefix"...)
	got, err := Tuple{Int(1)}.appendTo(dst)
	require.NoError(t, err)
	require.Equal(t, []byte("prefix\x15\x01"), got)
	require.Equal(t, &dst[0], &got[0], "it uses the spare capacity")
	got, err = Tuple{Int(1), IncompleteVersionstamp(0)}.appendTo(dst)
	require.Error(t, err)
	require.Nil(t, got)
	got, err = Tuple{Int(1), nest(maxDepth + 1)}.appendTo(dst)
	require.ErrorIs(t, err, errTooDeep)
	require.Nil(t, got)
}

func TestEmptyTuple(t *testing.T) {
	packed, err := Tuple{}.Pack()
	require.NoError(t, err)
	require.Empty(t, packed)
	got, err := Unpack(nil)
	require.NoError(t, err)
	require.Equal(t, Tuple{}, got)
	got, err = Unpack([]byte{codeNested, terminator})
	require.NoError(t, err)
	require.Equal(t, Tuple{Tuple{}}, got)
}

func TestPackWithVersionstamp(t *testing.T) {
	stamp := IncompleteVersionstamp(3)
	complete := Versionstamp{User: 3}
	for name, c := range map[string]struct {
		tuple Tuple
		count int
	}{
		"none":              {Tuple{Int(1)}, 0},
		"complete":          {Tuple{complete}, 0},
		"one":               {Tuple{stamp}, 1},
		"one and complete":  {Tuple{complete, stamp, complete}, 1},
		"nested":            {Tuple{Tuple{Tuple{stamp}}}, 1},
		"two":               {Tuple{stamp, stamp}, 2},
		"two nested":        {Tuple{Tuple{stamp}, Tuple{stamp}}, 2},
		"two at two levels": {Tuple{stamp, Tuple{stamp}}, 2},
	} {
		packed, err := c.tuple.PackWithVersionstamp([]byte("prefix"))
		if c.count == 1 {
			require.NoError(t, err, name)
			require.True(t, bytes.HasPrefix(packed, []byte("prefix")), name)
			at := bytes.Index(packed, incomplete[:])
			require.Equal(t, []byte{byte(at), 0, 0, 0}, packed[len(packed)-4:], name)
		} else {
			require.EqualError(t, err,
				fmt.Sprintf("tuple holds %d incomplete versionstamps: there must be exactly one", c.count), name)
		}
		_, err = c.tuple.Pack()
		require.Equal(t, c.count > 0, err != nil, name)
	}
}

// TestVersionstampOffsetHasFourBytes uses a prefix that moves the versionstamp past
// 65535. Before API version 520, the offset had two bytes.
func TestVersionstampOffsetHasFourBytes(t *testing.T) {
	packed, err := Tuple{IncompleteVersionstamp(0)}.PackWithVersionstamp(make([]byte, 0x1fffe))
	require.NoError(t, err)
	require.Equal(t, []byte{0xff, 0xff, 0x01, 0x00}, packed[len(packed)-4:])

	packed, err = appendStampOffset(nil, math.MaxInt32)
	require.NoError(t, err)
	require.Equal(t, []byte{0xff, 0xff, 0xff, 0x7f}, packed)
	_, err = appendStampOffset(nil, math.MaxInt32+1)
	require.ErrorContains(t, err, "offset 2147483648")
}

func TestPackWithVersionstampKeepsThePrefix(t *testing.T) {
	prefix := append(make([]byte, 0, 64), "prefix"...)
	_, err := Tuple{IncompleteVersionstamp(0)}.PackWithVersionstamp(prefix)
	require.NoError(t, err)
	require.Equal(t, make([]byte, 58), prefix[len(prefix):cap(prefix)])
}

func nest(levels int) Tuple {
	t := Tuple{Int(1)}
	for range levels {
		t = Tuple{t, Nil{}}
	}
	return t
}

func TestDepth(t *testing.T) {
	deepest := nest(maxDepth)
	packed, err := deepest.Pack()
	require.NoError(t, err)
	got, err := Unpack(packed)
	require.NoError(t, err)
	require.Equal(t, deepest, got)
	r := NewReader(packed)
	for range maxDepth {
		r = r.Nested()
	}
	require.Equal(t, int64(1), r.Int64())

	_, err = nest(maxDepth + 1).Pack()
	require.EqualError(t, err, "tuple element 0: tuples nested deeper than 100 levels")
	require.NotContains(t, deepest.String(), "(...)")
	require.Contains(t, nest(maxDepth+1).String(), "(...)")

	// OpenNested has no limit, but tuples that are nested too deep cannot be read.
	packed = CloseNested(append(OpenNested(nil), packed...))
	for _, b := range [][]byte{packed, bytes.Repeat([]byte{codeNested}, 1<<20)} {
		_, err = Unpack(b)
		require.EqualError(t, err, "tuple element 0, nested 100 deep, at offset 100: tuples nested deeper than 100 levels")
		r := NewReader(b)
		r.Skip()
		require.Equal(t, err, r.Err())
		r = NewReader(b)
		r.Nested()
		require.Equal(t, err, r.Err())
	}
}

// TestTupleInItself: packing a tuple that holds itself fails at the maximum depth.
func TestTupleInItself(t *testing.T) {
	loop := Tuple{nil}
	loop[0] = loop
	_, err := loop.Pack()
	require.ErrorIs(t, err, errTooDeep)
	require.NotEmpty(t, loop.String())
}

func TestTupleString(t *testing.T) {
	tuple := Tuple{
		String("a\"\x00\x1b[31m\u202e\xffé"), Bytes("b \"\\\x00\x7fé~"), Int(-1), Uint(math.MaxUint64),
		BigInt{new(big.Int).Lsh(big.NewInt(1), 64)},
		Float32(0.1), Float64(1), Float64(math.Copysign(0, -1)),
		Float32(math.Inf(-1)), Float64(math.NaN()), Float32(math.Float32frombits(0xffc00001)), Bool(true),
		UUID{0: 0x12, 15: 0xff},
		Versionstamp{Transaction: [10]byte{9: 1}, User: 7},
		IncompleteVersionstamp(8),
		Nil{},
		Tuple{},
		Tuple{Tuple{Nil{}}},
	}
	require.Equal(t, "("+strings.Join([]string{
		`"a\"\x00\x1b[31m\u202e\xffé"`, `b"b \"\\\x00\x7f\xc3\xa9~"`, `-1`, `18446744073709551615`,
		`18446744073709551616`, `float32(0.1)`, `float64(1)`, `float64(-0)`,
		`float32(-Inf)`, `float64(NaN 0x7ff8000000000001)`, `float32(NaN 0xffc00001)`, `true`,
		`uuid(12000000-0000-0000-0000-0000000000ff)`, `versionstamp(00000000000000000001:7)`, `versionstamp(incomplete:8)`,
		`nil`, `()`, `((nil))`,
	}, ", ")+")", tuple.String())
}
