package client

import (
	"bytes"

	"github.com/fdbelection/fdbelection/kv"
)

// FoundationDB's limits, in bytes.
const (
	MaxKeySize         = 10_000
	MaxValueSize       = 100_000
	MaxTransactionSize = 10_000_000
)

// What a mutation and a conflict range count for in a transaction's size,
// beside their keys and values.
const (
	mutationOverhead = 28
	rangeOverhead    = 24
)

// codeRangeLimitsInvalid answers a range read with a negative limit.
const codeRangeLimitsInvalid = 2012

// keysEnd is where the keys of applications end and the system's own begin.
var keysEnd = []byte{0xff}

// outside reports whether key is the system's own.
func outside(key []byte) bool { return len(key) > 0 && key[0] == 0xff }

// outsideEnd is outside for the end of a range, which may be keysEnd itself.
func outsideEnd(end []byte) bool { return bytes.Compare(end, keysEnd) > 0 }

// clipKey shortens a key that is longer than any that can be stored to one
// that orders the same among those that can.
func clipKey(key []byte) []byte {
	if len(key) > MaxKeySize {
		return key[:MaxKeySize+1]
	}
	return key
}

// checkRange says what is wrong with the bounds of a range, by code; 0 is
// nothing.
func checkRange(begin, end []byte) int {
	switch {
	case bytes.Compare(begin, end) > 0:
		return kv.CodeInvertedRange
	case outsideEnd(begin) || outsideEnd(end):
		return kv.CodeKeyOutsideLegalRange
	}
	return 0
}

// commitSize is what counts against MaxTransactionSize.
func commitSize(c *Commit) int {
	size := 0
	for i := range c.Mutations {
		m := &c.Mutations[i]
		size += mutationOverhead + len(m.Key) + len(m.Value)
	}
	for _, ranges := range [...][]Range{c.ReadConflicts, c.WriteConflicts} {
		for _, r := range ranges {
			size += rangeOverhead + len(r.Begin) + len(r.End)
		}
	}
	return size
}
