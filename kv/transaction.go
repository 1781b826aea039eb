package kv

import "time"

// Future is the answer of an operation that is under way.
type Future[T any] interface {
	// Get waits for the answer. It may be called more than once, and returns the
	// same each time. The error is an Error.
	Get() (T, error)
}

// KeyValue is one row of a range.
type KeyValue struct {
	Key   []byte
	Value []byte
}

// RangeOptions shape a range read. The zero value reads all of it, forwards.
type RangeOptions struct {
	// Limit is how many rows to return at the most; zero means all.
	Limit int
	// Reverse reads from the end.
	Reverse bool
}

// ReadTransaction reads at one read version, taken by the first read.
//
// Keys are passed without copying: do not change one before the transaction
// is over. A returned slice belongs to the caller only for reading.
type ReadTransaction interface {
	// Get reads a key. A key that is not there has a nil value; one that is has a
	// value that is not nil, empty or not.
	Get(key []byte) Future[[]byte]
	// GetRange reads the keys from begin (inclusive) to end (exclusive) in order.
	// Await it where the commit has to depend on it: of a range that nobody awaits
	// FoundationDB reads the first batch only, and conflicts on no more.
	GetRange(begin, end []byte, opts RangeOptions) Future[[]KeyValue]
	// GetReadVersion returns the version at which this transaction reads.
	GetReadVersion() Future[int64]
	// Snapshot returns the same transaction with reads that add no read conflict.
	// They see the transaction's own writes.
	Snapshot() ReadTransaction
}

// Transaction reads and writes. Its writes are its own until its owner commits
// them. Writes return nothing: what is wrong with one (code 2102, 2103, 2000)
// shows at the next read or at the commit.
type Transaction interface {
	ReadTransaction

	// Set writes a key.
	Set(key, value []byte)
	// Clear removes a key.
	Clear(key []byte)
	// ClearRange removes the keys from begin (inclusive) to end (exclusive).
	ClearRange(begin, end []byte)
	// SetVersionstampedKey writes a key whose last 4 bytes are a little-endian
	// offset, at which 10 bytes are replaced by the commit's versionstamp. The
	// offset's bytes are not part of the key.
	SetVersionstampedKey(key, value []byte)
	// SetVersionstampedValue writes a value whose last 4 bytes are a little-endian
	// offset, at which 10 bytes are replaced by the commit's versionstamp. Reading
	// the key in the same transaction fails with code 1036.
	SetVersionstampedValue(key, value []byte)

	// AddReadConflictKey makes the commit depend on key as a read of it would.
	AddReadConflictKey(key []byte) error
	// AddReadConflictRange is AddReadConflictKey for begin (inclusive) to end
	// (exclusive).
	AddReadConflictRange(begin, end []byte) error
	// AddWriteConflictKey makes transactions that read key conflict as a write of
	// it would, and writes nothing.
	AddWriteConflictKey(key []byte) error
	// AddWriteConflictRange is AddWriteConflictKey for begin (inclusive) to end
	// (exclusive).
	AddWriteConflictRange(begin, end []byte) error

	// Watch asks for a change of key. Registering it is a serialisable read of the
	// value; it becomes active when the transaction commits.
	Watch(key []byte) Watch
	// GetVersionstamp returns the 10 bytes that the commit will have put into
	// versionstamped operations: ask before the commit, await after it. After a
	// read-only commit it fails with code 2021, after a failed one with 2020, and
	// after Reset or a retry with 1100, or 1025 where a read was still under way.
	GetVersionstamp() Future[[]byte]
}

// OwnedTransaction is a transaction in the hands of its owner, who commits it.
type OwnedTransaction interface {
	Transaction

	// Commit makes the writes durable, all or none. Of an error OutcomeOf tells
	// whether they may be there. After Commit has begun every use but
	// GetCommittedVersion, OnError, Reset and Cancel fails with code 2017.
	Commit() error
	// GetCommittedVersion returns the version of the commit, or -1 where the
	// transaction wrote nothing.
	GetCommittedVersion() (int64, error)
	// OnError decides on a retry. Where err holds an Error after which
	// FoundationDB's client would retry, it waits the back-off, resets the
	// transaction and returns nil; otherwise it returns err as it is. Where the
	// context ends during the back-off, the result has err's code and outcome and
	// the context's cause.
	OnError(err error) error
	// Reset makes the transaction as new. Its pending reads and watches fail with
	// code 1025, and its versionstamp as GetVersionstamp says.
	Reset()
	// Cancel makes every pending and later operation fail with code 1025, until
	// Reset. Cancel releases all resources, and calling it again is harmless.
	Cancel()
	// SetRetryLimit bounds how often OnError retries; past it the error comes
	// back and the transaction then fails with code 1025. Negative: no limit.
	SetRetryLimit(retries int)
	// SetTimeout ends the transaction with code 1031 when d has passed since its
	// creation, retries included. Zero or less: none.
	SetTimeout(d time.Duration)
}

// Watch waits for a change of one key after the commit of the transaction
// that registered it. It may fire without a change, and may miss a change
// that was undone: always read the key again, and keep a timer beside it.
// It outlives its transaction, and must be cancelled when no longer wanted.
// Where a transaction is given up with Cancel alone, as with a failed OnError,
// its watches may stay silent until its Reset.
type Watch interface {
	// Done is closed when the watch has fired or failed.
	Done() <-chan struct{}
	// Err is nil before Done is closed and after the watch fired, else an Error:
	// what the commit failed with, 1025 after a reset, 1029 after Cancel, 1032
	// where there are too many.
	Err() error
	// Cancel ends the watch.
	Cancel()
}
