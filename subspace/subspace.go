package subspace

import "fmt"

// Subspace is a set of keys with a common prefix. It is immutable and safe for
// concurrent use. It can be compared with == and used as a map key. The zero
// Subspace has no prefix and contains all keys.
type Subspace struct {
	prefix string
}

// FromBytes returns the subspace of keys that begin with prefix. It copies prefix.
func FromBytes(prefix []byte) Subspace {
	return Subspace{prefix: string(prefix)}
}

// New returns the subspace of keys that begin with the tuple of names. Without
// names, it contains all keys.
func New(names ...string) Subspace {
	return Subspace{}.Sub(names...)
}

// Sub returns the subspace of keys that continue with the tuple of names.
func (s Subspace) Sub(names ...string) Subspace {
	prefix := s.Bytes()
	for _, name := range names {
		prefix = AppendString(prefix, name)
	}
	return FromBytes(prefix)
}

// SubTuple returns the subspace of keys that continue with t. It fails if
// Tuple.Pack does.
func (s Subspace) SubTuple(t Tuple) (Subspace, error) {
	prefix, err := s.Pack(t)
	if err != nil {
		return Subspace{}, err
	}
	return FromBytes(prefix), nil
}

// Bytes returns a copy of the prefix.
func (s Subspace) Bytes() []byte {
	return []byte(s.prefix)
}

// Pack returns the key of t: the prefix and the bytes of t. It fails if
// Tuple.Pack does.
func (s Subspace) Pack(t Tuple) ([]byte, error) {
	return t.packAfter(s.prefix)
}

// PackWithVersionstamp returns the key of t for a versionstamped operation. It
// fails if Tuple.PackWithVersionstamp does.
func (s Subspace) PackWithVersionstamp(t Tuple) ([]byte, error) {
	return t.PackWithVersionstamp(s.Bytes())
}

// Unpack is the inverse of Pack. The error matches ErrNotInSubspace, or it says
// which bytes of key are not a tuple.
func (s Subspace) Unpack(key []byte) (Tuple, error) {
	r := s.Reader(key)
	return r.rest()
}

// Reader returns a reader of the tuple from which Pack made key. If key does not
// begin with the prefix, the error of the reader matches ErrNotInSubspace.
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

// Range returns the range of the keys that continue with a tuple of at least one
// element. begin is inclusive and end is exclusive. The prefix itself is not in the
// range.
func (s Subspace) Range() (begin, end []byte) {
	return append(s.Bytes(), 0x00), append(s.Bytes(), 0xff)
}

// String returns the prefix as readable text: as a tuple if it is one, else as a
// byte string.
func (s Subspace) String() string {
	if t, err := Unpack(s.Bytes()); err == nil {
		return "subspace " + t.String()
	}
	return "subspace " + string(appendBytesText(nil, s.Bytes()))
}
