package subspace

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
)

// maxIntegerLen is the largest length of an integer, which has one length byte.
const maxIntegerLen = 255

// appendBigInt appends v as an integer. nil is zero.
func appendBigInt(dst []byte, v *big.Int) ([]byte, error) {
	if v == nil {
		return AppendUint(dst, 0), nil
	}
	n := byteCount(v)
	negative := v.Sign() < 0
	switch {
	case n > maxIntegerLen:
		return dst, fmt.Errorf("integer of %d bytes: the limit of a tuple is %d", n, maxIntegerLen)
	case n > 8 && negative:
		dst = append(dst, codeNegativeBig, ^byte(n))
	case n > 8:
		dst = append(dst, codePositiveBig, byte(n))
	case negative:
		dst = append(dst, byte(codeIntegerZero-n))
	default:
		dst = append(dst, byte(codeIntegerZero+n))
	}
	start := len(dst)
	dst = append(dst, make([]byte, n)...)
	v.FillBytes(dst[start:])
	if negative {
		complement(dst[start:])
	}
	return dst, nil
}

// byteCount returns the number of bytes of the magnitude of v.
func byteCount(v *big.Int) int { return (v.BitLen() + 7) / 8 }

func complement(b []byte) {
	for i := range b {
		b[i] = ^b[i]
	}
}

// The methods of item below are for items of KindInteger. They accept leading
// zeros, which the shortest form does not have.

func (it *item) negative() bool { return it.code < codeIntegerZero }

// magnitude returns the number without its sign, if it fits uint64.
func (it *item) magnitude() (v uint64, fits bool) {
	var zero byte // negative numbers are complemented
	if it.negative() {
		zero = 0xff
	}
	for _, b := range it.body {
		if v >= 1<<56 {
			return 0, false
		}
		v = v<<8 | uint64(b^zero)
	}
	return v, true
}

func (it *item) int64() (v int64, fits bool) {
	m, fits := it.magnitude()
	if it.negative() {
		return int64(-m), fits && m <= 1<<63
	}
	return int64(m), fits && m <= math.MaxInt64
}

func (it *item) uint64() (v uint64, fits bool) {
	m, fits := it.magnitude()
	return m, fits && (m == 0 || !it.negative())
}

func (it *item) big() *big.Int {
	if !it.negative() {
		return new(big.Int).SetBytes(it.body)
	}
	magnitude := append([]byte(nil), it.body...)
	complement(magnitude)
	v := new(big.Int).SetBytes(magnitude)
	return v.Neg(v)
}

// integer returns the number as the first of Int, Uint and BigInt that it fits.
func (it *item) integer() Element {
	if v, fits := it.int64(); fits {
		return Int(v)
	}
	if v, fits := it.uint64(); fits {
		return Uint(v)
	}
	return BigInt{Value: it.big()}
}

// integerText describes the number for an error message: in full, or by its length
// if it has more than 8 bytes.
func (it *item) integerText() string {
	v := it.big()
	if n := byteCount(v); n > 8 {
		return "an integer of " + strconv.Itoa(n) + " bytes"
	}
	return v.String()
}
