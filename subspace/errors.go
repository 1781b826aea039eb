package subspace

import (
	"errors"
	"fmt"
)

// ErrNotInSubspace: the key does not begin with the prefix of the subspace.
var ErrNotInSubspace = errors.New("key is not in the subspace")

var errTooDeep = fmt.Errorf("tuples nested deeper than %d levels", maxDepth)

// decodeError says what is wrong with packed bytes, and where.
type decodeError struct {
	// Index is the index of the element in its tuple.
	Index int
	// Depth is how deep that tuple is nested, or 0 if it is not.
	Depth int
	// Offset is the offset of the element in the bytes that were passed to
	// NewReader, Unpack or Subspace.Reader.
	Offset int
	// Problem says what was expected and what was found.
	Problem string
}

func (e *decodeError) Error() string {
	nesting := ""
	if e.Depth > 0 {
		nesting = fmt.Sprintf(", nested %d deep,", e.Depth)
	}
	return fmt.Sprintf("tuple element %d%s at offset %d: %s", e.Index, nesting, e.Offset, e.Problem)
}
