package kv

import "time"

// Future is the result of an asynchronous operation.
type Future[T any] interface {
	// Get waits for the result. Every call returns the same result. The error is an
	// Error.
	Get() (T, error)
}

// KeyValue is one row of a range.
type KeyValue struct {
	Key   []byte
	Value []byte
}

// RangeOptions are options of a range read. The zero value reads the whole range in
// ascending order.
type RangeOptions struct {
	// Limit is the maximum number of rows. Zero means no limit.
	Limit int
	// Reverse reads in descending order, beginning at the end of the range.
	Reverse bool
}

// ReadTransaction reads at one read version, which the first read takes.
//
// Keys are not copied. Do not modify a key that you passed before the transaction
// ends. Do not modify slices that a read returns.
type ReadTransaction interface {
	// Get reads a key. The value is nil if the key does not exist. The value of an
	// existing key is never nil, but may be empty.
	Get(key []byte) Future[[]byte]
	// GetRange reads the keys from begin (inclusive) to end (exclusive) in order.
	// Await the result if the commit must depend on it. FoundationDB reads only the
	// first batch of a range that is not awaited, and adds a read conflict only for
	// that.
	GetRange(begin, end []byte, opts RangeOptions) Future[[]KeyValue]
	// GetReadVersion returns the version at which this transaction reads.
	GetReadVersion() Future[int64]
	// Snapshot returns a view of this transaction whose reads add no read conflict.
	// They see the transaction's own writes.
	Snapshot() ReadTransaction
}

// Transaction reads and writes. Other transactions see its writes only after the
// owner has committed it. Writes return no error. An invalid write (codes 2000,
// 2102, 2103) makes the next read and the commit fail.
type Transaction interface {
	ReadTransaction

	// Set writes a key.
	Set(key, value []byte)
	// Clear removes a key.
	Clear(key []byte)
	// ClearRange removes the keys from begin (inclusive) to end (exclusive).
	ClearRange(begin, end []byte)
	// SetVersionstampedKey writes a key that contains the commit's versionstamp.
	// The last 4 bytes of key are a little-endian offset and not part of the stored
	// key. The 10 bytes at the offset are replaced with the versionstamp.
	SetVersionstampedKey(key, value []byte)
	// SetVersionstampedValue writes a value that contains the commit's
	// versionstamp. The last 4 bytes of value are a little-endian offset and not
	// part of the stored value. The 10 bytes at the offset are replaced with the
	// versionstamp. Reading the key in the same transaction fails with code 1036.
	SetVersionstampedValue(key, value []byte)

	// AddReadConflictKey makes the commit depend on key, as if the transaction had
	// read it.
	AddReadConflictKey(key []byte) error
	// AddReadConflictRange is AddReadConflictKey for begin (inclusive) to end
	// (exclusive).
	AddReadConflictRange(begin, end []byte) error
	// AddWriteConflictKey makes transactions that read key conflict with this one,
	// as if it had written key. It writes nothing.
	AddWriteConflictKey(key []byte) error
	// AddWriteConflictRange is AddWriteConflictKey for begin (inclusive) to end
	// (exclusive).
	AddWriteConflictRange(begin, end []byte) error

	// Watch returns a watch of key. It adds a read conflict on key, like Get, and
	// becomes active when the transaction commits.
	Watch(key []byte) Watch
	// GetVersionstamp returns the 10-byte versionstamp that the commit will use.
	// Call it before the commit, and wait for the result after the commit. It fails
	// with code 2021 after a read-only commit and with 2020 after a failed one.
	// After Reset or a retry it fails with 1100, or with 1025 if a read was still
	// pending.
	GetVersionstamp() Future[[]byte]
}

// OwnedTransaction is a transaction that its owner commits, retries or cancels.
type OwnedTransaction interface {
	Transaction

	// Commit makes the writes durable, all or none. If it fails, OutcomeOf reports
	// whether the writes may be in the database. Once Commit has begun, every
	// method except GetCommittedVersion, OnError, Reset and Cancel fails with code
	// 2017.
	Commit() error
	// GetCommittedVersion returns the version of the commit, or -1 if the
	// transaction wrote nothing.
	GetCommittedVersion() (int64, error)
	// OnError decides whether to retry. If err holds an Error that FoundationDB's
	// client would retry, OnError waits the back-off, resets the transaction and
	// returns nil. Otherwise it returns err unchanged. If the context ends during
	// the back-off, the result has the code and the outcome of err and wraps the
	// context's error.
	OnError(err error) error
	// Reset returns the transaction to its initial state. Pending reads and watches
	// fail with code 1025, and the versionstamp fails as GetVersionstamp describes.
	Reset()
	// Cancel makes every pending and later operation fail with code 1025 until
	// Reset. It releases all resources. Calling it again does nothing.
	Cancel()
	// SetRetryLimit limits how often OnError retries. After that, OnError returns
	// the error and the transaction fails with code 1025. A negative value means no
	// limit.
	SetRetryLimit(retries int)
	// SetTimeout makes the transaction fail with code 1031 once d has passed since
	// its creation, retries included. Zero or less means no limit.
	SetTimeout(d time.Duration)
}

// Watch waits for a change of one key after its transaction has committed. It may
// fire without a change, and it may miss a change that was undone. Always read the
// key again, and also poll with a timer.
//
// A watch outlives its transaction. Cancel it when you no longer need it. If a
// transaction is given up with Cancel alone, or by a failed OnError, its watches
// may neither fire nor fail until Reset.
type Watch interface {
	// Done is closed when the watch has fired or failed.
	Done() <-chan struct{}
	// Err returns nil before Done is closed and after the watch has fired.
	// Otherwise it returns an Error: the error of the commit, 1025 after a reset,
	// 1029 after Cancel, or 1032 if there are too many watches.
	Err() error
	// Cancel ends the watch.
	Cancel()
}
