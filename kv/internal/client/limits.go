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

// Bytes that a mutation and a conflict range add to a transaction's size, besides
// their keys and values.
const (
	mutationOverhead = 28
	rangeOverhead    = 24
)

// codeRangeLimitsInvalid is the error of a range read with a negative limit.
const codeRangeLimitsInvalid = 2012

// keysEnd is the end of the user keys. System keys follow.
var keysEnd = []byte{0xff}

// isSystemKey reports whether key is a system key.
func isSystemKey(key []byte) bool { return len(key) > 0 && key[0] == 0xff }

// isSystemEnd is isSystemKey for the end of a range, which may be keysEnd.
func isSystemEnd(end []byte) bool { return bytes.Compare(end, keysEnd) > 0 }

// clipKey shortens a key that is too long to be stored. The result has the same
// order relative to all keys that can be stored.
func clipKey(key []byte) []byte {
	if len(key) > MaxKeySize {
		return key[:MaxKeySize+1]
	}
	return key
}

// checkRange returns the code of what is wrong with the bounds of a range, or 0.
func checkRange(begin, end []byte) int {
	switch {
	case bytes.Compare(begin, end) > 0:
		return kv.CodeInvertedRange
	case isSystemEnd(begin) || isSystemEnd(end):
		return kv.CodeKeyOutsideLegalRange
	}
	return 0
}

// commitSize returns the size that counts against MaxTransactionSize.
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
