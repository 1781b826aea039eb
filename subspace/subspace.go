package subspace

import "fmt"

// Subspace is a prefix under which keys are kept together. It is a value that
// never changes, safe for concurrent use, and may be compared with == and be
// the key of a map. The zero Subspace has no prefix: it is the whole key space.
type Subspace struct {
	prefix string
}

// FromBytes returns the subspace of keys that begin with prefix. It copies
// prefix.
func FromBytes(prefix []byte) Subspace {
	return Subspace{prefix: string(prefix)}
}

// New returns the subspace of keys that begin with the tuple of names. Without
// names it is the whole key space.
func New(names ...string) Subspace {
	return Subspace{}.Sub(names...)
}

// Sub returns the subspace of keys that go on with the tuple of names.
func (s Subspace) Sub(names ...string) Subspace {
	prefix := s.Bytes()
	for _, name := range names {
		prefix = AppendString(prefix, name)
	}
	return FromBytes(prefix)
}

// SubTuple returns the subspace of keys that go on with t. It fails where
// Tuple.Pack does.
func (s Subspace) SubTuple(t Tuple) (Subspace, error) {
	prefix, err := s.Pack(t)
	if err != nil {
		return Subspace{}, err
	}
	return FromBytes(prefix), nil
}

// Bytes returns the prefix, a copy that belongs to the caller.
func (s Subspace) Bytes() []byte {
	return []byte(s.prefix)
}

// AppendPrefix appends the prefix to dst. With the Append functions after it,
// it makes keys without further allocation.
func (s Subspace) AppendPrefix(dst []byte) []byte {
	return append(dst, s.prefix...)
}

// Pack returns the key of t: the prefix and the bytes of t. It fails where
// Tuple.Pack does.
func (s Subspace) Pack(t Tuple) ([]byte, error) {
	return t.packAfter(s.prefix)
}

// PackWithVersionstamp returns the key of t for a versionstamped operation. It
// fails where Tuple.PackWithVersionstamp does.
func (s Subspace) PackWithVersionstamp(t Tuple) ([]byte, error) {
	return t.PackWithVersionstamp(s.Bytes())
}

// Unpack returns the tuple that Pack made key of. The error matches
// ErrNotInSubspace, or is a *DecodeError whose offset counts from the beginning
// of key.
func (s Subspace) Unpack(key []byte) (Tuple, error) {
	r := s.Reader(key)
	return r.rest()
}

// Reader returns a reader of the tuple that Pack made key of. Where key does
// not begin with the prefix, the reader's error matches ErrNotInSubspace.
func (s Subspace) Reader(key []byte) Reader {
	if !s.Contains(key) {
		return Reader{err: fmt.Errorf("%w: %s does not begin with %s",
			ErrNotInSubspace, bytesText(key), bytesText(s.Bytes()))}
	}
	return Reader{packed: key[len(s.prefix):], base: len(s.prefix)}
}

// Contains reports whether key begins with the prefix.
func (s Subspace) Contains(key []byte) bool {
	return len(key) >= len(s.prefix) && string(key[:len(s.prefix)]) == s.prefix
}

// Range returns the range, begin inclusive and end exclusive, of the keys that
// go on with a tuple of one element or more. The prefix itself is not in it.
func (s Subspace) Range() (begin, end []byte) {
	return append(s.Bytes(), 0x00), append(s.Bytes(), 0xff)
}

// String returns the prefix for people to read: as a tuple where it is one,
// else as a byte string.
func (s Subspace) String() string {
	if t, err := Unpack(s.Bytes()); err == nil {
		return "subspace " + t.String()
	}
	return "subspace " + string(appendBytesText(nil, s.Bytes()))
}
