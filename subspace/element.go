package subspace

import "math/big"

// MaxDepth is how deep tuples may be nested in each other. A tuple that is not
// nested has depth 0. Deeper ones are neither packed nor read.
const MaxDepth = 100

// Element is a value that a tuple can hold. Its types are those of this
// package and no others: Nil, Bytes, String, Tuple, Int, Uint, BigInt,
// Float32, Float64, Bool, UUID and Versionstamp. A nil Element counts as Nil.
type Element interface{ element() }

// The types of elements that have no file of their own.
type (
	// Nil is the element without a value.
	Nil struct{}
	// Bytes is a byte string.
	Bytes []byte
	// String is a string, UTF-8 by convention.
	String string
	// Int is an integer. Reading gives Int for every integer that fits int64.
	Int int64
	// Uint is an integer. Reading gives Uint for those that fit uint64 only.
	Uint uint64
	// BigInt is an integer of up to 255 bytes. Reading gives BigInt for those that
	// fit neither int64 nor uint64.
	BigInt struct {
		// Value is the number; nil counts as zero. Packing does not change it.
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
	// Tuple is a sequence of elements, and an element where it is nested.
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
