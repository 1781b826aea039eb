package record

import (
	"bytes"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// The first type code of the tuple layer for each kind of element, and the first one after
// that kind.
const (
	TextCode     = 0x02
	AfterText    = 0x03
	IntegerCode  = 0x0b
	ZeroCode     = 0x14
	AfterInteger = 0x1e
	StampCode    = 0x33
	AfterStamp   = 0x34
)

// Below returns the range of the keys below a prefix whose next element has a type code of
// at least first and less than after. The range may also contain keys of others, so check
// each key with Shaped.
func Below(prefix []byte, first, after byte) (begin, end []byte) {
	return append(Grow(prefix, 1), first), append(Grow(prefix, 1), after)
}

// Shaped returns a reader of the elements after a prefix of a key, if these have exactly the
// given kinds. A key of another shape belongs to others.
func Shaped(key, prefix []byte, kinds ...subspace.Kind) (subspace.Reader, bool) {
	if !bytes.HasPrefix(key, prefix) {
		return subspace.Reader{}, false
	}
	r := subspace.NewReader(key[len(prefix):])
	check := r
	for _, kind := range kinds {
		if check.Peek() != kind {
			return subspace.Reader{}, false
		}
		check.Skip()
	}
	return r, check.Err() == nil && !check.More()
}

// Grow returns a copy of prefix with room for extra bytes.
func Grow(prefix []byte, extra int) []byte {
	return append(make([]byte, 0, len(prefix)+extra), prefix...)
}

// AppendOffset completes the template of a versionstamped operation with the position of
// the stamp, in 4 bytes, little-endian.
func AppendOffset(dst []byte, at int) []byte {
	return append(dst, byte(at), byte(at>>8), byte(at>>16), byte(at>>24))
}

// ConflictOn adds read conflicts on keys.
func ConflictOn(tr kv.Transaction, keys ...[]byte) error {
	for _, key := range keys {
		if err := tr.AddReadConflictKey(key); err != nil {
			return err
		}
	}
	return nil
}
