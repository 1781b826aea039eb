// Package client is the client half of an embedded engine: what FoundationDB
// does in NativeAPI and ReadYourWrites, between the application and the
// cluster. It keeps a transaction's own writes, merges them into its reads,
// collects its conflict ranges, checks its limits, fills in errors and decides
// on retries. The server half, which orders commits and keeps the data, is a
// Store; each engine has its own.
package client

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

// Store is the server half of an engine. It is safe for concurrent use. Every
// error is a kv.Error. A wait that ctx ends returns code 1025; the client half
// puts in the cause, and turns the code into 1031 where a time limit was it.
// What a call was given, it does not touch after it has returned.
type Store interface {
	// Read answers one wave of reads at a version and returns that version. For
	// version 0 the store takes a read version first: the newest one, at which
	// every commit acknowledged before the call is visible. With an empty wave it
	// does only that. A version that is no longer kept is answered with 1007.
	Read(ctx context.Context, version int64, wave []*Read) (int64, error)

	// Commit checks the read conflict ranges against the writes in (read version,
	// now], and applies the mutations, all or none, in order. The error has
	// Committing set where the commit may yet be applied, or may have been: a
	// store that ctx stopped before it began anything leaves it unset. The slices
	// in c are the transaction's: a store copies what it keeps.
	Commit(ctx context.Context, c *Commit) (CommitResult, error)

	// Watch calls notify once: with nil after a commit above version left key
	// with another value than expected (nil: no key), also where that has happened
	// already; with an error where the watch failed. notify does not block and
	// may be called before Watch returns. stop ends the watch without a call;
	// calling it again is harmless. ctx bounds the registration only. The error
	// is 1032 where there are too many.
	Watch(ctx context.Context, key, expected []byte, version int64, notify func(error)) (stop func(), err error)

	// Now is the clock by which time limits run, Sleep waits on it, and Jitter
	// returns a number in [0, 1) for the back-off.
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) error
	Jitter() float64
}

// ReadOnlyCounter is what a Store also implements that counts the commits of
// transactions that wrote nothing. There is nothing else for a store to do in
// one.
type ReadOnlyCounter interface {
	CountReadOnlyCommit()
}

// Read is one read of a wave. The request is above the line, the answer below.
type Read struct {
	// Key is the key of a single read; a range read has End set and Key as its
	// begin (inclusive).
	Key []byte
	// End is the end of a range (exclusive), nil for a single read.
	End     []byte
	Limit   int // rows at the most; 0: all
	Reverse bool

	// Value answers a single read: nil where there is no such key.
	Value []byte
	// Rows answer a range read, in the order asked for. There are fewer than
	// Limit only where the range has no more.
	Rows []kv.KeyValue
}

// Range is a range of keys, begin inclusive, end exclusive.
type Range struct {
	Begin, End []byte
}

// MutationKind says what a mutation does.
type MutationKind uint8

const (
	// MutationSet writes Value at Key.
	MutationSet MutationKind = iota
	// MutationClearRange removes Key (inclusive) to Value (exclusive).
	MutationClearRange
	// MutationStampedKey writes Value at Key after putting the versionstamp into
	// Key at Offset. The key that results is a write conflict.
	MutationStampedKey
	// MutationStampedValue writes Value at Key after putting the versionstamp
	// into Value at Offset.
	MutationStampedValue
)

// Mutation is one write. Offsets are checked, and cut off, before they get here.
type Mutation struct {
	Kind       MutationKind
	Key, Value []byte
	Offset     int
}

// StampSize is the length of a versionstamp: 8 bytes of version and 2 of batch,
// both big-endian.
const StampSize = 10

// Stamp returns the versionstamp of a commit.
func (r CommitResult) Stamp() [StampSize]byte {
	var s [StampSize]byte
	binary.BigEndian.PutUint64(s[:8], uint64(r.Version))
	binary.BigEndian.PutUint16(s[8:], r.Batch)
	return s
}

// Commit is a transaction at its commit.
type Commit struct {
	// ReadVersion is 0 where the transaction read nothing and asked for no read
	// version: it takes the newest one, and so is never too old. Any other that
	// is no longer kept is answered with 1007, even without read conflicts, as
	// FoundationDB's client gives every commit one.
	ReadVersion int64
	// ReadConflicts and WriteConflicts are sorted, and do not overlap or touch.
	ReadConflicts  []Range
	WriteConflicts []Range
	Mutations      []Mutation
}

// CommitResult is the place of a commit in the order of all commits. Together
// they are its versionstamp.
type CommitResult struct {
	Version int64
	Batch   uint16
}
