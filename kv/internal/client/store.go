// Package client is the client half of the embedded engines. It does what NativeAPI
// and ReadYourWrites do in FoundationDB's client: it keeps a transaction's own
// writes, merges them into its reads, collects conflict ranges, checks limits,
// creates errors and decides on retries. The server half, which orders commits and
// stores the data, is a Store. Each engine has its own.
package client

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

// Store is the server half of an engine. It is safe for concurrent use. Every error
// is a kv.Error. A wait that ctx ends returns code 1025. The client half adds the
// cause, and replaces the code with 1031 if a time limit was the reason. A store
// does not use the arguments of a call after the call has returned.
type Store interface {
	// Read answers one wave of reads at version and returns that version. If
	// version is 0, the store first takes a read version: the newest one, which
	// sees every commit acknowledged before the call. For an empty wave it does
	// only that. If version is no longer kept, Read fails with 1007.
	Read(ctx context.Context, version int64, wave []*Read) (int64, error)

	// Commit checks the read conflict ranges against the writes in (read version,
	// now] and applies all mutations in order, or none. The error has Committing
	// set if the commit may have been applied or may still be. It is not set if ctx
	// ended before the store began. The slices in c belong to the transaction, so a
	// store must copy what it keeps.
	Commit(ctx context.Context, c *Commit) (CommitResult, error)

	// Watch calls notify once: with nil after a commit above version has left key
	// with a value other than expected (nil: no key), at once if that has already
	// happened, or with an error if the watch failed. notify does not block and may
	// be called before Watch returns. stop ends the watch without a call of notify.
	// It may be called more than once. ctx bounds only the registration. The error
	// is 1032 if there are too many watches.
	Watch(ctx context.Context, key, expected []byte, version int64, notify func(error)) (stop func(), err error)

	// Now returns the time of the clock that time limits use. Sleep waits on that
	// clock. Jitter returns a random number in [0, 1) for the back-off.
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) error
	Jitter() float64
}

// ReadOnlyCounter is an optional interface of a Store that counts read-only
// commits. A store has nothing else to do for them.
type ReadOnlyCounter interface {
	CountReadOnlyCommit()
}

// Read is one read of a wave. The fields above the blank line are the request, and
// those below it are the answer.
type Read struct {
	// Key is the key of a single read, or the begin (inclusive) of a range read.
	Key []byte
	// End is the end (exclusive) of a range read, or nil.
	End     []byte
	Limit   int // maximum number of rows; 0 means no limit
	Reverse bool

	// Value is the answer to a single read, or nil if there is no such key.
	Value []byte
	// Rows are the answer to a range read, in the requested order. There are fewer
	// than Limit only if the range has no more.
	Rows []kv.KeyValue
}

// Range is a range of keys, begin inclusive, end exclusive.
type Range struct {
	Begin, End []byte
}

// MutationKind is the kind of a mutation.
type MutationKind uint8

const (
	// MutationSet sets Key to Value.
	MutationSet MutationKind = iota
	// MutationClearRange removes the keys from Key (inclusive) to Value
	// (exclusive).
	MutationClearRange
	// MutationStampedKey writes the versionstamp into Key at Offset, and sets the
	// resulting key to Value. The store adds a write conflict on that key.
	MutationStampedKey
	// MutationStampedValue writes the versionstamp into Value at Offset, and sets
	// Key to the resulting value.
	MutationStampedValue
)

// Mutation is one write. Its Offset has been checked and removed from the template.
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

// Commit is the commit of one transaction.
type Commit struct {
	// ReadVersion is 0 if the transaction read nothing and asked for no read
	// version. The store then uses the newest version, so the commit is never too
	// old. If any other version is no longer kept, the commit fails with 1007 even
	// without read conflicts, because FoundationDB's client gives every commit a
	// read version.
	ReadVersion int64
	// ReadConflicts and WriteConflicts are sorted and neither overlap nor touch.
	ReadConflicts  []Range
	WriteConflicts []Range
	Mutations      []Mutation
}

// CommitResult is the position of a commit in the order of all commits. Version and
// Batch together are its versionstamp.
type CommitResult struct {
	Version int64
	Batch   uint16
}
