// Package differential finds differences between engines: it lets two of them
// play the same random script of interleaved transactions, and compares every
// answer. Where the conformance suite of kvtest shows what somebody thought of,
// this finds what nobody did.
//
// A script that two engines answer differently is cut down to the few steps that
// are needed, and printed with both answers and with the seed that replays it.
//
// Versions and versionstamps differ from engine to engine. They are compared by
// what they mean: a stamp by the commit that it belongs to, and a version by
// whether there is one.
package differential
