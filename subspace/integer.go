package subspace

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
)

// maxIntegerLen is what the length byte of an integer can say.
const maxIntegerLen = 255

// appendBigInt appends v as an integer; nil counts as zero.
func appendBigInt(dst []byte, v *big.Int) ([]byte, error) {
	if v == nil {
		return AppendUint(dst, 0), nil
	}
	n := (v.BitLen() + 7) / 8
	negative := v.Sign() < 0
	switch {
	case n > maxIntegerLen:
		return dst, fmt.Errorf("integer of %d bytes: a tuple holds up to %d", n, maxIntegerLen)
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

func complement(b []byte) {
	for i := range b {
		b[i] = ^b[i]
	}
}

// integer is a number as it was read.
type integer struct {
	negative  bool
	magnitude uint64
	// long is the magnitude, big-endian, where it has more than 8 bytes; it is
	// complemented where the number is negative.
	long []byte
}

// integer reads the number. Leading zeros, which the shortest form has not, do
// not matter.
func (it item) integer() integer {
	n := integer{negative: it.code < codeIntegerZero}
	var zero byte
	if n.negative {
		zero = 0xff
	}
	body := it.body
	for len(body) > 8 && body[0] == zero {
		body = body[1:]
	}
	if len(body) > 8 {
		n.long = body
		return n
	}
	for _, b := range body {
		n.magnitude = n.magnitude<<8 | uint64(b^zero)
	}
	return n
}

func (n integer) int64() (v int64, fits bool) {
	switch {
	case n.long != nil:
		return 0, false
	case n.negative:
		return int64(-n.magnitude), n.magnitude <= 1<<63
	default:
		return int64(n.magnitude), n.magnitude <= math.MaxInt64
	}
}

func (n integer) uint64() (v uint64, fits bool) {
	return n.magnitude, n.long == nil && (!n.negative || n.magnitude == 0)
}

func (n integer) big() *big.Int {
	v := new(big.Int)
	switch {
	case n.long == nil:
		v.SetUint64(n.magnitude)
	case n.negative:
		magnitude := append([]byte(nil), n.long...)
		complement(magnitude)
		v.SetBytes(magnitude)
	default:
		v.SetBytes(n.long)
	}
	if n.negative {
		v.Neg(v)
	}
	return v
}

// element returns the number in the first type of Int, Uint and BigInt that
// holds it.
func (n integer) element() Element {
	if v, fits := n.int64(); fits {
		return Int(v)
	}
	if v, fits := n.uint64(); fits {
		return Uint(v)
	}
	return BigInt{Value: n.big()}
}

// String describes the number for an error: in full, or by its length.
func (n integer) String() string {
	if n.long != nil {
		return "an integer of " + strconv.Itoa(len(n.long)) + " bytes"
	}
	digits := strconv.FormatUint(n.magnitude, 10)
	if n.negative {
		return "-" + digits
	}
	return digits
}
