package subspace

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"strings"
)

// appendNil appends nil as an element of a tuple that is not nested. Between
// OpenNested and CloseNested, use appendNestedNil.
func appendNil(dst []byte) []byte {
	return append(dst, codeNil)
}

// appendNestedNil appends nil as an element of a nested tuple, where a bare
// zero byte would end the tuple.
func appendNestedNil(dst []byte) []byte {
	return append(dst, codeNil, escape)
}

// appendBytes appends b as a byte string.
func appendBytes(dst, b []byte) []byte {
	return appendEscaped(append(dst, codeBytes), b, bytes.IndexByte)
}

// AppendString appends s as a string. s should be valid UTF-8. If it is not,
// Reader.Text and the bindings of other languages cannot read it.
func AppendString(dst []byte, s string) []byte {
	return appendEscaped(append(dst, codeString), s, strings.IndexByte)
}

func appendEscaped[S string | []byte](dst []byte, s S, index func(S, byte) int) []byte {
	for {
		i := index(s, terminator)
		if i < 0 {
			break
		}
		dst = append(dst, s[:i+1]...)
		dst = append(dst, escape)
		s = s[i+1:]
	}
	dst = append(dst, s...)
	return append(dst, terminator)
}

// AppendInt appends v as an integer.
func AppendInt(dst []byte, v int64) []byte {
	if v >= 0 {
		return AppendUint(dst, uint64(v))
	}
	magnitude := -uint64(v) // in range even for the smallest int64
	n := byteLen(magnitude)
	dst = append(dst, byte(codeIntegerZero-n))
	return appendBigEndian(dst, ^magnitude, n)
}

// AppendUint appends v as an integer. The bytes are those that AppendInt appends
// for the same value.
func AppendUint(dst []byte, v uint64) []byte {
	n := byteLen(v)
	dst = append(dst, byte(codeIntegerZero+n))
	return appendBigEndian(dst, v, n)
}

// byteLen returns the number of bytes of v without leading zeros.
func byteLen(v uint64) int {
	return (bits.Len64(v) + 7) / 8
}

// appendBigEndian appends the low n bytes of v.
func appendBigEndian(dst []byte, v uint64, n int) []byte {
	var all [8]byte
	binary.BigEndian.PutUint64(all[:], v)
	return append(dst, all[8-n:]...)
}

// AppendBool appends v as a boolean.
func AppendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, codeTrue)
	}
	return append(dst, codeFalse)
}

// appendFloat32 appends the exact bits of v, including those of a NaN.
func appendFloat32(dst []byte, v float32) []byte {
	b := math.Float32bits(v)
	// A negative number sorts before another one of smaller magnitude, so all of its
	// bits are flipped. The other numbers only get their sign bit set, which sorts
	// them after the negative ones.
	if b&(1<<31) != 0 {
		b = ^b
	} else {
		b |= 1 << 31
	}
	return binary.BigEndian.AppendUint32(append(dst, codeFloat32), b)
}

// appendFloat64 appends the exact bits of v, including those of a NaN.
func appendFloat64(dst []byte, v float64) []byte {
	b := math.Float64bits(v)
	if b&(1<<63) != 0 { // as in appendFloat32
		b = ^b
	} else {
		b |= 1 << 63
	}
	return binary.BigEndian.AppendUint64(append(dst, codeFloat64), b)
}

// AppendUUID appends v as a UUID.
func AppendUUID(dst []byte, v [16]byte) []byte {
	return append(append(dst, codeUUID), v[:]...)
}

// AppendVersionstamp appends v, which may be incomplete. The commit then fills in
// the 10 bytes that begin at len(dst)+1.
func AppendVersionstamp(dst []byte, v Versionstamp) []byte {
	dst = append(append(dst, codeVersionstamp), v.Transaction[:]...)
	return binary.BigEndian.AppendUint16(dst, v.User)
}

// OpenNested begins a nested tuple. Append its elements next, and then call
// CloseNested.
func OpenNested(dst []byte) []byte {
	return append(dst, codeNested)
}

// CloseNested ends the nested tuple that OpenNested began last.
func CloseNested(dst []byte) []byte {
	return append(dst, terminator)
}
