package subspace

import (
	"encoding/hex"
	"math"
	"strconv"
)

const hexDigits = "0123456789abcdef"

// String returns the tuple as readable text: ("users", 42, b"\x00\xff", nil).
// It escapes control characters and other bytes that could confuse a terminal or a
// log. It leaves out tuples that are nested more than 100 levels deep.
func (t Tuple) String() string {
	return string(appendTupleText(nil, t, 0))
}

// String returns the number in decimal.
func (n BigInt) String() string {
	if n.Value == nil {
		return "0"
	}
	return n.Value.String()
}

// String returns the UUID as groups of 8, 4, 4, 4 and 12 hexadecimal digits.
func (u UUID) String() string {
	var b [36]byte
	hex.Encode(b[:8], u[:4])
	hex.Encode(b[9:13], u[4:6])
	hex.Encode(b[14:18], u[6:8])
	hex.Encode(b[19:23], u[8:10])
	hex.Encode(b[24:], u[10:])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

func appendTupleText(dst []byte, t Tuple, depth int) []byte {
	if depth > maxDepth {
		return append(dst, "(...)"...)
	}
	dst = append(dst, '(')
	for i, e := range t {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = appendElementText(dst, e, depth)
	}
	return append(dst, ')')
}

func appendElementText(dst []byte, e Element, depth int) []byte {
	switch e := e.(type) {
	case Bytes:
		return appendBytesText(dst, e)
	case String:
		return strconv.AppendQuote(dst, string(e))
	case Int:
		return strconv.AppendInt(dst, int64(e), 10)
	case Uint:
		return strconv.AppendUint(dst, uint64(e), 10)
	case BigInt:
		return append(dst, e.String()...)
	case Float32:
		v := float64(e)
		if math.IsNaN(v) {
			return appendNaNText(dst, "float32", uint64(math.Float32bits(float32(e))))
		}
		return append(strconv.AppendFloat(append(dst, "float32("...), v, 'g', -1, 32), ')')
	case Float64:
		v := float64(e)
		if math.IsNaN(v) {
			return appendNaNText(dst, "float64", math.Float64bits(v))
		}
		return append(strconv.AppendFloat(append(dst, "float64("...), v, 'g', -1, 64), ')')
	case Bool:
		return strconv.AppendBool(dst, bool(e))
	case UUID:
		return append(append(append(dst, "uuid("...), e.String()...), ')')
	case Versionstamp:
		return append(append(append(dst, "versionstamp("...), e.String()...), ')')
	case Tuple:
		return appendTupleText(dst, e, depth+1)
	default:
		return append(dst, "nil"...)
	}
}

// appendNaNText writes the bits of a NaN, so that different NaNs look different.
func appendNaNText(dst []byte, kind string, bits uint64) []byte {
	dst = append(append(dst, kind...), "(NaN 0x"...)
	return append(strconv.AppendUint(dst, bits, 16), ')')
}

// appendBytesText writes b as a literal. Bytes that are not printable ASCII become
// \x and two digits.
func appendBytesText(dst, b []byte) []byte {
	dst = append(dst, 'b', '"')
	for _, c := range b {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= ' ' && c <= '~':
			dst = append(dst, c)
		default:
			dst = append(dst, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(dst, '"')
}

// bytesText returns b as a literal for an error message. It cuts off long ones.
func bytesText(b []byte) string {
	const limit = 100
	if len(b) <= limit {
		return string(appendBytesText(nil, b))
	}
	return string(appendBytesText(nil, b[:limit])) + "... (" + strconv.Itoa(len(b)) + " bytes)"
}
