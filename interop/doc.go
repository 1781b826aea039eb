// Package interop exchanges the keys and values of a database with programs in other languages.
//
// The folder python has a second implementation of the stored format, which was written from
// docs/format.md alone. It reads a dump (Dump) and answers with the operations of a transaction
// (Apply). The tests of this package let Go and Python take part in one election in turn, and
// check that each writes exactly what the other would have written.
package interop
