package subspace

import (
	"errors"
	"fmt"
)

// ErrNotInSubspace: the key does not begin with the subspace's prefix.
var ErrNotInSubspace = errors.New("key is not in the subspace")

var errTooDeep = fmt.Errorf("tuples nested deeper than %d levels", MaxDepth)

// DecodeError says what is wrong with packed bytes, and where.
type DecodeError struct {
	// Index is the place of the element in the tuple that holds it, from 0.
	Index int
	// Depth is how deep that tuple is nested; 0 where it is not.
	Depth int
	// Offset is the place of the element in the bytes that were given to
	// NewReader, Unpack or Subspace.Reader.
	Offset int
	// Problem says what was expected and what was found.
	Problem string
}

// Error returns the place and the problem.
func (e *DecodeError) Error() string {
	nesting := ""
	if e.Depth > 0 {
		nesting = fmt.Sprintf(", nested %d deep,", e.Depth)
	}
	return fmt.Sprintf("tuple element %d%s at offset %d: %s", e.Index, nesting, e.Offset, e.Problem)
}
