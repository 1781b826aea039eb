package subspace

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Pack returns the bytes of the tuple. It fails if the tuple holds an incomplete
// versionstamp, an integer of more than 255 bytes, or tuples that are nested more
// than 100 levels deep.
func (t Tuple) Pack() ([]byte, error) {
	return t.packAfter("")
}

// packAfter returns prefix and the bytes of the tuple.
func (t Tuple) packAfter(prefix string) ([]byte, error) {
	dst := make([]byte, 0, len(prefix)+t.sizeHint())
	return t.appendTo(append(dst, prefix...))
}

// sizeHint estimates the size of the packed tuple, so that one allocation is
// usually enough.
func (t Tuple) sizeHint() (size int) {
	for _, e := range t {
		switch e := e.(type) {
		case Bytes:
			size += len(e) + 2
		case String:
			size += len(e) + 2
		case UUID, Versionstamp, Tuple:
			size += 17
		default:
			size += 9
		}
	}
	return size
}

// appendTo appends the bytes of the tuple to dst. If it fails, for the reasons that
// Pack does, it returns nil.
func (t Tuple) appendTo(dst []byte) ([]byte, error) {
	p := packer{dst: dst}
	if err := p.tuple(t); err != nil {
		return nil, err
	}
	if p.stamps > 0 {
		return nil, errors.New("tuple holds an incomplete versionstamp: use PackWithVersionstamp")
	}
	return p.dst, nil
}

// PackWithVersionstamp returns prefix, the bytes of the tuple, and 4 bytes with the
// offset at which the database writes the versionstamp of the commit. This is the
// format of a versionstamped operation as of API version 520. The tuple, or a tuple
// nested in it, must hold exactly one incomplete versionstamp. The other limits are
// those of Pack.
func (t Tuple) PackWithVersionstamp(prefix []byte) ([]byte, error) {
	p := packer{dst: make([]byte, 0, len(prefix)+t.sizeHint()+4)}
	p.dst = append(p.dst, prefix...)
	if err := p.tuple(t); err != nil {
		return nil, err
	}
	if p.stamps != 1 {
		return nil, fmt.Errorf("tuple holds %d incomplete versionstamps: there must be exactly one", p.stamps)
	}
	return appendStampOffset(p.dst, p.stampAt)
}

// appendStampOffset appends the offset of the versionstamp. The database reads it
// as a signed number.
func appendStampOffset(dst []byte, at int) ([]byte, error) {
	if at > math.MaxInt32 {
		return nil, fmt.Errorf("incomplete versionstamp at offset %d: the limit is 2147483647", at)
	}
	return binary.LittleEndian.AppendUint32(dst, uint32(at)), nil
}

// Unpack is the inverse of Tuple.Pack. The result does not share memory with
// packed.
func Unpack(packed []byte) (Tuple, error) {
	r := NewReader(packed)
	return r.rest()
}

// packer appends elements and counts incomplete versionstamps.
type packer struct {
	dst     []byte
	stamps  int // incomplete ones so far
	stampAt int // offset in dst of the last of them
}

func (p *packer) tuple(t Tuple) error {
	for i, e := range t {
		if err := p.element(e, 0); err != nil {
			return fmt.Errorf("tuple element %d: %w", i, err)
		}
	}
	return nil
}

// element appends e, which is an element of a tuple at the given depth.
func (p *packer) element(e Element, depth int) (err error) {
	switch e := e.(type) {
	case nil, Nil:
		if depth > 0 {
			p.dst = appendNestedNil(p.dst)
		} else {
			p.dst = appendNil(p.dst)
		}
	case Bytes:
		p.dst = appendBytes(p.dst, e)
	case String:
		p.dst = AppendString(p.dst, string(e))
	case Int:
		p.dst = AppendInt(p.dst, int64(e))
	case Uint:
		p.dst = AppendUint(p.dst, uint64(e))
	case BigInt:
		p.dst, err = appendBigInt(p.dst, e.Value)
	case Float32:
		p.dst = appendFloat32(p.dst, float32(e))
	case Float64:
		p.dst = appendFloat64(p.dst, float64(e))
	case Bool:
		p.dst = AppendBool(p.dst, bool(e))
	case UUID:
		p.dst = AppendUUID(p.dst, e)
	case Versionstamp:
		if e.Incomplete() {
			p.stamps++
			p.stampAt = len(p.dst) + 1
		}
		p.dst = AppendVersionstamp(p.dst, e)
	case Tuple:
		err = p.nested(e, depth+1)
	}
	return err
}

// nested appends t, which is a nested tuple at the given depth.
func (p *packer) nested(t Tuple, depth int) error {
	if depth > maxDepth {
		return errTooDeep
	}
	p.dst = OpenNested(p.dst)
	for _, e := range t {
		if err := p.element(e, depth); err != nil {
			return err
		}
	}
	p.dst = CloseNested(p.dst)
	return nil
}
