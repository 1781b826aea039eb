package subspace

import "unicode/utf8"

// Reader reads a packed tuple element by element, without boxing. Ask for each
// element by the method of its type, then for Err once: after the first error
// every method returns the zero value and moves no further.
//
// Elements that are not asked for are not looked at, so that a reader of an old
// layout passes over what a newer one appended.
//
// The zero Reader reads the empty tuple. A copy of a Reader goes on by itself.
type Reader struct {
	packed []byte
	pos    int // of the next element
	index  int // of the next element
	base   int // where packed begins in the bytes that errors count from
	depth  int // how deep the tuple is nested
	err    error
}

// NewReader returns a reader of packed, which must not change while it is read.
func NewReader(packed []byte) Reader {
	return Reader{packed: packed}
}

// Err returns the first error, a *DecodeError, or nil. A Reader that
// Subspace.Reader returned may also have ErrNotInSubspace.
func (r *Reader) Err() error { return r.err }

// More reports whether there are more elements, and no error.
func (r *Reader) More() bool { return r.err == nil && r.pos < len(r.packed) }

// Peek returns the kind of the next element without moving past it: KindNone
// at the end of the tuple and after an error. Bytes that are no element are an
// error.
func (r *Reader) Peek() Kind {
	var it item
	if !r.scan(&it) {
		return KindNone
	}
	return it.kind
}

// Nil reads nil.
func (r *Reader) Nil() {
	var it item
	if r.expect(KindNil, &it) {
		r.accept(&it)
	}
}

// Bytes reads a byte string. The result may share memory with the packed
// bytes: it is for reading only.
func (r *Reader) Bytes() []byte {
	var it item
	if !r.expect(KindBytes, &it) {
		return nil
	}
	r.accept(&it)
	return it.unescaped()
}

// Text reads a string, which must be valid UTF-8.
func (r *Reader) Text() string {
	var it item
	if !r.expect(KindString, &it) {
		return ""
	}
	text := it.unescaped()
	if !utf8.Valid(text) {
		r.fail("expected a string, found one that is not valid UTF-8")
		return ""
	}
	r.accept(&it)
	return string(text)
}

// Int64 reads an integer that fits int64.
func (r *Reader) Int64() int64 {
	var it item
	if !r.expect(KindInteger, &it) {
		return 0
	}
	v, fits := it.int64()
	if !fits {
		r.fail("expected an integer that fits int64, found " + it.integerText())
		return 0
	}
	r.accept(&it)
	return v
}

// Uint64 reads an integer that fits uint64.
func (r *Reader) Uint64() uint64 {
	var it item
	if !r.expect(KindInteger, &it) {
		return 0
	}
	v, fits := it.uint64()
	if !fits {
		r.fail("expected an integer that fits uint64, found " + it.integerText())
		return 0
	}
	r.accept(&it)
	return v
}

// Float32 reads a single-precision number.
func (r *Reader) Float32() float32 {
	var it item
	if !r.expect(KindFloat32, &it) {
		return 0
	}
	r.accept(&it)
	return it.float32()
}

// Float64 reads a double-precision number.
func (r *Reader) Float64() float64 {
	var it item
	if !r.expect(KindFloat64, &it) {
		return 0
	}
	r.accept(&it)
	return it.float64()
}

// Bool reads a boolean.
func (r *Reader) Bool() bool {
	var it item
	if !r.expect(KindBool, &it) {
		return false
	}
	r.accept(&it)
	return it.code == codeTrue
}

// UUID reads a UUID.
func (r *Reader) UUID() [16]byte {
	var it item
	if !r.expect(KindUUID, &it) {
		return [16]byte{}
	}
	r.accept(&it)
	return [16]byte(it.body)
}

// Versionstamp reads a versionstamp, complete or not.
func (r *Reader) Versionstamp() Versionstamp {
	var it item
	if !r.expect(KindVersionstamp, &it) {
		return Versionstamp{}
	}
	r.accept(&it)
	return versionstampAt(it.body)
}

// Nested reads a nested tuple: it returns a reader of that tuple's elements and
// moves past it. An error in reading those elements is the returned reader's
// own; where there is no nested tuple to read, both readers have the error.
func (r *Reader) Nested() Reader {
	var it item
	if !r.expect(KindNested, &it) {
		return Reader{err: r.err}
	}
	start := r.pos + 1
	r.Skip()
	if r.err != nil {
		return Reader{err: r.err}
	}
	end := r.pos - 1
	return Reader{packed: r.packed[start:end], base: r.base + start, depth: r.depth + 1}
}

// Skip moves past an element of any type. What is nested in it must be whole.
func (r *Reader) Skip() {
	var it item
	if !r.expectAny(&it) {
		return
	}
	if it.kind != KindNested {
		r.accept(&it)
		return
	}
	index := r.index
	r.enter()
	for r.inside() {
		r.Skip()
	}
	r.leave(index)
}

// Element reads an element of any type. It returns nil after an error. The
// result shares no memory with the packed bytes.
func (r *Reader) Element() Element {
	var it item
	if !r.expectAny(&it) {
		return nil
	}
	if it.kind == KindNested {
		return r.tuple()
	}
	r.accept(&it)
	return it.element()
}

// tuple reads a nested tuple with all that is in it.
func (r *Reader) tuple() Element {
	t, index := Tuple{}, r.index
	r.enter()
	for r.inside() {
		t = append(t, r.Element())
	}
	r.leave(index)
	if r.err != nil {
		return nil
	}
	return t
}

// rest reads all elements that are left.
func (r *Reader) rest() (Tuple, error) {
	t := make(Tuple, 0, min(8, len(r.packed)-r.pos)) // an element takes a byte or more
	for r.More() {
		t = append(t, r.Element())
	}
	if r.err != nil {
		return nil, r.err
	}
	return t, nil
}
