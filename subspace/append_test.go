package subspace

import (
	"encoding/hex"
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAppend(t *testing.T) {
	stamp := Versionstamp{Transaction: [10]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, User: 657}
	for name, c := range map[string]struct {
		got  []byte
		want string
	}{
		"nil":             {appendNil(nil), "00"},
		"nested nil":      {CloseNested(appendNestedNil(OpenNested(nil))), "0500ff00"},
		"bytes":           {appendBytes(nil, []byte("foo\x00bar")), "01666f6f00ff62617200"},
		"nil bytes":       {appendBytes(nil, nil), "0100"},
		"string":          {AppendString(nil, "F\u00d4O\x00bar"), "0246c3944f00ff62617200"},
		"string of zeros": {AppendString(nil, "\x00\x00"), "0200ff00ff00"},
		"invalid UTF-8":   {AppendString(nil, "\xff"), "02ff00"},
		"int":             {AppendInt(nil, -5551212), "11ab4b93"},
		"int, zero":       {AppendInt(nil, 0), "14"},
		"int, smallest":   {AppendInt(nil, math.MinInt64), "0c7fffffffffffffff"},
		"int, largest":    {AppendInt(nil, math.MaxInt64), "1c7fffffffffffffff"},
		"uint, largest":   {AppendUint(nil, math.MaxUint64), "1cffffffffffffffff"},
		"bool":            {AppendBool(AppendBool(nil, false), true), "2627"},
		"float32":         {appendFloat32(nil, -42), "203dd7ffff"},
		"float64":         {appendFloat64(nil, 3.14), "21c0091eb851eb851f"},
		"uuid":            {AppendUUID(nil, [16]byte{15: 1}), "3000000000000000000000000000000001"},
		"versionstamp":    {AppendVersionstamp(nil, stamp), "330102030405060708090a0291"},
	} {
		require.Equal(t, c.want, hex.EncodeToString(c.got), name)
	}
}

// TestAppendAllocatesNothing: every append function uses the spare capacity of dst.
func TestAppendAllocatesNothing(t *testing.T) {
	dst := make([]byte, 0, 256)
	text, data := "a\x00b", []byte("a\x00b")
	require.Zero(t, testing.AllocsPerRun(100, func() {
		b := AppendString(dst, text)
		b = appendBytes(b, data)
		b = AppendInt(b, math.MinInt64)
		b = AppendUint(b, math.MaxUint64)
		b = appendFloat32(appendFloat64(b, 1), 1)
		b = AppendUUID(AppendBool(appendNil(b), true), [16]byte{})
		b = AppendVersionstamp(b, IncompleteVersionstamp(1))
		_ = CloseNested(appendNestedNil(OpenNested(b)))
	}))
}

// TestIntegerTypesAgree: all Go types of an integer have the same bytes, at every length.
func TestIntegerTypesAgree(t *testing.T) {
	for shift := range 64 {
		for delta := int64(-2); delta <= 2; delta++ {
			v := new(big.Int).Lsh(big.NewInt(1), uint(shift))
			v.Add(v, big.NewInt(delta))
			if v.IsUint64() {
				want, err := Tuple{BigInt{v}}.Pack()
				require.NoError(t, err)
				require.Equal(t, want, AppendUint(nil, v.Uint64()), "%v", v)
			}
			for range 2 {
				if v.IsInt64() {
					want, err := Tuple{BigInt{v}}.Pack()
					require.NoError(t, err)
					require.Equal(t, want, AppendInt(nil, v.Int64()), "%v", v)
				}
				v.Neg(v)
			}
		}
	}
}
