package subspace

import "math/big"

// maxDepth is the maximum depth of nested tuples. A tuple that is not nested has
// depth 0. Deeper tuples can be neither packed nor read.
const maxDepth = 100

// Element is a value that a tuple can hold. It is one of the types of this
// package: Nil, Bytes, String, Tuple, Int, Uint, BigInt, Float32, Float64, Bool,
// UUID or Versionstamp. A nil Element is treated as Nil.
type Element interface{ element() }

// The types of elements that have no file of their own.
type (
	// Nil is the element without a value.
	Nil struct{}
	// Bytes is a byte string.
	Bytes []byte
	// String is a string, UTF-8 by convention.
	String string
	// Int is an integer. Unpack returns Int for every integer that fits int64.
	Int int64
	// Uint is an integer. Unpack returns Uint for an integer that fits only uint64.
	Uint uint64
	// BigInt is an integer of up to 255 bytes. Unpack returns BigInt for an integer
	// that fits neither int64 nor uint64.
	BigInt struct {
		// Value is the number, and nil is zero. Packing does not change it.
		Value *big.Int
	}
	// Float32 is a single-precision number.
	Float32 float32
	// Float64 is a double-precision number.
	Float64 float64
	// Bool is a boolean.
	Bool bool
	// UUID is 16 bytes in network order.
	UUID [16]byte
	// Tuple is a sequence of elements. A nested tuple is itself an element.
	Tuple []Element
)

func (Nil) element()          {}
func (Bytes) element()        {}
func (String) element()       {}
func (Int) element()          {}
func (Uint) element()         {}
func (BigInt) element()       {}
func (Float32) element()      {}
func (Float64) element()      {}
func (Bool) element()         {}
func (UUID) element()         {}
func (Tuple) element()        {}
func (Versionstamp) element() {}
