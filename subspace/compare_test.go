package subspace

import (
	"bytes"
	"cmp"
	"math"
	"math/big"
)

// compareTuples orders tuples by their values and does not use the codec. Tests
// compare the order of packed tuples with it.
func compareTuples(a, b Tuple) int {
	for i := 0; i < len(a) && i < len(b); i++ {
		if c := compareElements(a[i], b[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

func compareElements(a, b Element) int {
	if c := cmp.Compare(rank(a), rank(b)); c != 0 {
		return c
	}
	switch a := a.(type) {
	case Bytes:
		return bytes.Compare(a, b.(Bytes))
	case String:
		return cmp.Compare(a, b.(String))
	case Tuple:
		return compareTuples(a, b.(Tuple))
	case Int, Uint, BigInt:
		return number(a).Cmp(number(b))
	case Float32: // they have the same order as float64, and NaNs are ordered by their bits
		return compareFloats(float64(a), float64(b.(Float32)),
			uint64(math.Float32bits(float32(a))), uint64(math.Float32bits(float32(b.(Float32)))))
	case Float64:
		return compareFloats(float64(a), float64(b.(Float64)),
			math.Float64bits(float64(a)), math.Float64bits(float64(b.(Float64))))
	case UUID:
		b := b.(UUID)
		return bytes.Compare(a[:], b[:])
	case Versionstamp:
		return a.Compare(b.(Versionstamp))
	default: // nil and booleans, which the rank alone orders
		return 0
	}
}

func rank(e Element) int {
	switch e := e.(type) {
	case nil, Nil:
		return 0
	case Bytes:
		return 1
	case String:
		return 2
	case Tuple:
		return 3
	case Int, Uint, BigInt:
		return 4
	case Float32:
		return 5
	case Float64:
		return 6
	case Bool:
		if !e {
			return 7
		}
		return 8
	case UUID:
		return 9
	default:
		return 10
	}
}

func number(e Element) *big.Int {
	switch e := e.(type) {
	case Int:
		return big.NewInt(int64(e))
	case Uint:
		return new(big.Int).SetUint64(uint64(e))
	case BigInt:
		if e.Value != nil {
			return e.Value
		}
	}
	return new(big.Int)
}

// compareFloats compares by IEEE 754's total order: by sign, then by value. NaNs
// are at both ends, ordered by their bits.
func compareFloats(a, b float64, bitsA, bitsB uint64) int {
	outward := 1
	if math.Signbit(a) {
		outward = -1
	}
	switch {
	case math.Signbit(a) != math.Signbit(b):
		return outward
	case math.IsNaN(a) && math.IsNaN(b):
		return outward * cmp.Compare(bitsA, bitsB)
	case math.IsNaN(a):
		return outward
	case math.IsNaN(b):
		return -outward
	default:
		return cmp.Compare(a, b)
	}
}
