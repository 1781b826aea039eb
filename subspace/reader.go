package subspace

import "unicode/utf8"

// Reader reads a packed tuple element by element. Read each element with the
// method of its type, and check Err once at the end. After the first error, every
// method returns the zero value and does not move on.
//
// The Reader does not check elements after those that were read, so code for an
// old layout can read records to which a newer version has appended elements.
//
// The zero Reader reads the empty tuple. A copy of a Reader is independent of it.
type Reader struct {
	packed []byte
	pos    int // of the next element
	index  int // of the next element
	base   int // offset of packed in the whole input, for errors
	depth  int // of the nesting
	err    error
}

// NewReader returns a reader of packed, which must not change while it is read.
func NewReader(packed []byte) Reader {
	return Reader{packed: packed}
}

// Err returns the first error, or nil. The error of a Reader from Subspace.Reader
// may match ErrNotInSubspace.
func (r *Reader) Err() error { return r.err }

// More reports whether there are more elements. It returns false after an error.
func (r *Reader) More() bool { return r.err == nil && r.pos < len(r.packed) }

// Peek returns the kind of the next element without moving past it. It returns
// KindNone at the end of the tuple and after an error. Bytes that are not an
// element are an error.
func (r *Reader) Peek() Kind {
	var it item
	if !r.scan(&it) {
		return KindNone
	}
	return it.kind
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

// Versionstamp reads a versionstamp, which may be incomplete.
func (r *Reader) Versionstamp() Versionstamp {
	var it item
	if !r.expect(KindVersionstamp, &it) {
		return Versionstamp{}
	}
	r.accept(&it)
	return versionstampAt(it.body)
}

// Nested returns a reader of the elements of a nested tuple, and moves past that
// tuple. If there is no nested tuple, both readers have the error. A later error of
// the returned reader does not affect r.
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

// Skip moves past an element of any type. It checks that nested elements are not
// truncated.
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

// element reads an element of any type. It returns nil after an error. The result
// does not share memory with the packed bytes.
func (r *Reader) element() Element {
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

// tuple reads a nested tuple and all of its elements.
func (r *Reader) tuple() Element {
	t, index := Tuple{}, r.index
	r.enter()
	for r.inside() {
		t = append(t, r.element())
	}
	r.leave(index)
	if r.err != nil {
		return nil
	}
	return t
}

// rest reads all remaining elements.
func (r *Reader) rest() (Tuple, error) {
	t := make(Tuple, 0, min(8, len(r.packed)-r.pos)) // an element has at least one byte
	for r.More() {
		t = append(t, r.element())
	}
	if r.err != nil {
		return nil, r.err
	}
	return t, nil
}
