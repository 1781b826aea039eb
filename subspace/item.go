package subspace

import (
	"bytes"
	"encoding/binary"
	"math"
)

// item is an element found in packed bytes.
type item struct {
	kind    Kind
	code    byte
	escapes int    // zero bytes in body that are data
	body    []byte // without type code, length byte and end, but with escapes
	end     int    // offset of the next element
}

// unescaped returns the data of a string or byte string. If nothing in it was
// escaped, it is a part of the packed bytes.
func (it *item) unescaped() []byte {
	if it.escapes == 0 {
		return it.body
	}
	return bytes.ReplaceAll(it.body, []byte{terminator, escape}, []byte{terminator})
}

// float32 reverses appendFloat32.
func (it *item) float32() float32 {
	b := binary.BigEndian.Uint32(it.body)
	if b&(1<<31) != 0 {
		return math.Float32frombits(b &^ (1 << 31))
	}
	return math.Float32frombits(^b)
}

// float64 reverses appendFloat64.
func (it *item) float64() float64 {
	b := binary.BigEndian.Uint64(it.body)
	if b&(1<<63) != 0 {
		return math.Float64frombits(b &^ (1 << 63))
	}
	return math.Float64frombits(^b)
}

// element returns the value of an item that is not a nested tuple. The value does
// not share memory with the packed bytes.
func (it *item) element() Element {
	switch it.kind {
	case KindNil:
		return Nil{}
	case KindBytes:
		return Bytes(bytes.Clone(it.unescaped()))
	case KindString:
		return String(it.unescaped())
	case KindInteger:
		return it.integer()
	case KindFloat32:
		return Float32(it.float32())
	case KindFloat64:
		return Float64(it.float64())
	case KindBool:
		return Bool(it.code == codeTrue)
	case KindUUID:
		return UUID(it.body)
	case KindVersionstamp:
		return versionstampAt(it.body)
	default:
		return nil
	}
}
