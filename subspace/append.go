package subspace

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"strings"
)

// AppendNil appends nil as an element of a tuple that is not nested. Between
// OpenNested and CloseNested use AppendNestedNil.
func AppendNil(dst []byte) []byte {
	return append(dst, codeNil)
}

// AppendNestedNil appends nil as an element of a nested tuple, where a bare
// zero byte would end the tuple.
func AppendNestedNil(dst []byte) []byte {
	return append(dst, codeNil, escape)
}

// AppendBytes appends b as a byte string.
func AppendBytes(dst, b []byte) []byte {
	return appendEscaped(append(dst, codeBytes), b, bytes.IndexByte)
}

// AppendString appends s as a string. s should be valid UTF-8: Reader.Text and
// the bindings of other languages do not read it otherwise.
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
	magnitude := -uint64(v) // in range for the smallest int64 as well
	n := byteLen(magnitude)
	dst = append(dst, byte(codeIntegerZero-n))
	return appendBigEndian(dst, ^magnitude, n)
}

// AppendUint appends v as an integer. It has the bytes that AppendInt gives an
// int64 of the same value.
func AppendUint(dst []byte, v uint64) []byte {
	n := byteLen(v)
	dst = append(dst, byte(codeIntegerZero+n))
	return appendBigEndian(dst, v, n)
}

// byteLen returns how many bytes v takes without leading zeros.
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

// AppendFloat32 appends v, its exact bits, NaNs included.
func AppendFloat32(dst []byte, v float32) []byte {
	b := math.Float32bits(v)
	// Below zero a larger magnitude sorts first, so all bits are flipped;
	// the others move above those by their sign bit alone.
	if b&(1<<31) != 0 {
		b = ^b
	} else {
		b |= 1 << 31
	}
	return binary.BigEndian.AppendUint32(append(dst, codeFloat32), b)
}

// AppendFloat64 appends v, its exact bits, NaNs included.
func AppendFloat64(dst []byte, v float64) []byte {
	b := math.Float64bits(v)
	if b&(1<<63) != 0 { // as in AppendFloat32
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

// AppendVersionstamp appends v, complete or not. The 10 bytes that a commit
// fills in for an incomplete one begin at len(dst)+1.
func AppendVersionstamp(dst []byte, v Versionstamp) []byte {
	dst = append(append(dst, codeVersionstamp), v.Transaction[:]...)
	return binary.BigEndian.AppendUint16(dst, v.User)
}

// OpenNested begins a nested tuple, whose elements are appended next. nil
// among them is for AppendNestedNil. CloseNested ends it.
func OpenNested(dst []byte) []byte {
	return append(dst, codeNested)
}

// CloseNested ends the nested tuple that OpenNested began.
func CloseNested(dst []byte) []byte {
	return append(dst, terminator)
}
