// Package subspace encodes keys and values as FoundationDB's tuple layer does,
// byte for byte, and groups keys under prefixes as its subspace layer does. It
// is pure Go and needs neither cgo nor FoundationDB's client library.
//
// Packed tuples sort in the order of the tuples: element by element, with a
// shorter tuple before a longer one that begins with it. Elements of different
// types sort by type, in the order of the table below. All integers are one type,
// so 1 sorts between -1 and 1<<100 whatever their Go types are.
//
//	element        Go type                type code
//	nil            Nil                    00 (in a nested tuple 00 FF)
//	byte string    Bytes                  01
//	string         String                 02
//	nested tuple   Tuple                  05
//	integer        Int, Uint, BigInt      0B to 1D
//	float32        Float32                20
//	float64        Float64                21
//	boolean        Bool                   26 false, 27 true
//	UUID           UUID                   30
//	versionstamp   Versionstamp           33
//
// Floats sort by IEEE 754's total order: -0 sorts before 0, and NaNs sort at the
// two ends. The bits of a NaN are kept. Strings sort by their UTF-8 bytes.
//
// # Two levels
//
// Tuple, with Pack and Unpack, works on elements as values. It supports all types,
// and it can read keys and values whose layout is not known in advance.
//
// The Append functions and Reader work on one element at a time. They are for
// records of a known layout and support the types that such records need. They do
// not allocate memory for elements, appending cannot fail, and the caller checks
// the error of a Reader once, at the end.
//
// # Strings
//
// The tuple layer's strings are UTF-8. Packing does not check that, and neither
// does FoundationDB's Go binding, but other languages cannot read a string that is
// not valid. Reader.Text rejects it too. Unpack accepts any bytes, so that a tool
// can show any key.
//
// # Integers
//
// Packing writes the shortest form of an integer. Longer forms can also be read.
// For example, the Python binding writes 1<<64-1 and its negative with a length
// byte, which Go and Java do not. Two different keys can therefore hold equal
// tuples.
//
// # Untrusted bytes
//
// No input causes a panic. Tuples can be nested up to 100 levels deep, so that
// malicious input cannot exhaust the stack. A truncated element is an error, even
// if some bindings accept it: a nested tuple without its end, or a string without
// its zero byte.
package subspace
