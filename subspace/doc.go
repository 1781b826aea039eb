// Package subspace encodes keys and values as FoundationDB's tuple layer does,
// byte for byte, and groups keys under prefixes as its subspace layer does. It
// is pure Go and needs neither cgo nor FoundationDB's client library.
//
// The bytes of a packed tuple sort as the tuple does: element by element, a
// shorter tuple before a longer one that begins with it. Elements of different
// types sort by type, in the order of the table below; all integers are one
// type, so that 1 sorts between -1 and 1<<100 however each was written.
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
// Floats sort by IEEE 754's total order: -0 before 0, and NaNs, whose bits are
// kept, at the two ends. Strings sort by their UTF-8 bytes.
//
// # Two levels
//
// The Append functions and Reader work on elements one at a time. They are for
// records whose layout is known: nothing is boxed, appending cannot fail, and a
// Reader is asked for its error once, at the end.
//
// Tuple, with Pack and Unpack, works on elements as values. It is for keys and
// values whose layout is not known before they are read.
//
// # Strings
//
// The tuple layer's strings are UTF-8. Packing does not check that, as
// FoundationDB's Go binding does not, but other languages refuse to read a
// string that is not. Reader.Text refuses it too; Unpack and Reader.Element
// hand over any bytes, so that a tool can show any key.
//
// # Integers
//
// Packing writes the shortest form of an integer. Longer forms are read as
// well: the Python binding writes 1<<64-1 and its negative with a length byte,
// where Go and Java do without. Two keys can therefore hold equal tuples and
// still be two keys.
//
// # Untrusted bytes
//
// No bytes cause a panic. Nesting is read and packed down to MaxDepth levels,
// so that bytes made for it cannot exhaust the stack. What is not whole is an
// error, also where some bindings let it pass: a nested tuple without its end,
// a string without its zero byte.
package subspace
