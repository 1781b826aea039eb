package client

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/fdbelection/fdbelection/kv"
)

// Options configure a transaction. The zero value behaves like FoundationDB.
type Options struct {
	// SizeLimit is the maximum size of a commit in bytes. Zero means
	// MaxTransactionSize.
	SizeLimit int
}

// Transaction is a kv.OwnedTransaction on a Store. It is safe for concurrent use.
// It starts no goroutine unless a store waits on a context while a time limit is
// set.
type Transaction struct {
	store  Store
	opts   Options
	parent context.Context

	// io is held while the store reads or commits for this transaction. It is
	// locked before mu. mu is never held during a call of the store.
	io sync.Mutex
	mu sync.Mutex

	created    time.Time // on the store's clock
	timeout    time.Duration
	retryLimit int // negative means no limit
	retries    int
	backoff    time.Duration

	attempt
}

// attempt is the part of a transaction that a reset replaces.
type attempt struct {
	life *lifetime
	// failure is the error of every use: 1025 after Cancel or after an OnError that
	// did not retry, 1031 after the time limit, 2017 after a use during the commit.
	failure error
	// deferred is the code of the first invalid write. Later writes are ignored.
	// Reads and the commit fail with it.
	deferred int

	readVersion int64 // 0: not taken yet
	reads       readSet
	writes      ownWrites
	conflicts   []Range // read conflicts in the order they were added
	watches     []*watch
	stamp       *stamp
	arena       arena

	committing       bool  // Commit was called
	committedVersion int64 // -1 means none
}

var (
	_ kv.OwnedTransaction = (*Transaction)(nil)
	_ kv.ReadTransaction  = (*snapshot)(nil)
)

// firstSpace holds everything that a small transaction needs in one allocation.
type firstSpace struct {
	tr        Transaction
	life      lifetime
	reads     [4]read
	pending   [6]*read
	known     [4]*read
	conflicts [6]Range
	entries   [4]*ownWrite
	writes    [4]ownWrite
}

// NewTransaction begins a transaction bound to ctx.
func NewTransaction(ctx context.Context, store Store, opts Options) *Transaction {
	space := &firstSpace{}
	tr := &space.tr
	tr.store, tr.opts, tr.parent = store, opts, ctx
	if tr.opts.SizeLimit == 0 {
		tr.opts.SizeLimit = MaxTransactionSize
	}
	tr.retryLimit = -1
	tr.backoff = minBackoff
	tr.created = store.Now()
	tr.life = &space.life
	tr.life.parent, tr.life.store = ctx, store
	tr.committedVersion = -1
	tr.reads.free = space.reads[:]
	tr.reads.pending = space.pending[:0]
	tr.reads.points = space.known[:0]
	tr.conflicts = space.conflicts[:0]
	tr.writes.entries = space.entries[:0]
	tr.writes.free = space.writes[:]
	return tr
}

// Store returns the transaction's store.
func (tr *Transaction) Store() Store { return tr.store }

// useError returns the error of a read, or of a use that counts as one, or nil if
// it may proceed. A use after the commit has begun makes the transaction unusable
// until Reset. tr.mu is held.
func (tr *Transaction) useError() error {
	tr.expire()
	if tr.deferred != 0 {
		return kv.Error{Code: tr.deferred}
	}
	if tr.committing {
		return tr.usedDuringCommit()
	}
	return tr.endError()
}

// endError returns why the attempt has ended, or nil.
func (tr *Transaction) endError() error {
	if tr.failure != nil {
		return tr.failure
	}
	if failure := tr.life.failure(); failure != nil {
		return *failure
	}
	return nil
}

// writable reports whether a write may proceed. A cancelled transaction accepts
// writes, because it cannot be committed.
func (tr *Transaction) writable() bool {
	tr.expire()
	if tr.deferred != 0 {
		return false
	}
	if tr.committing {
		_ = tr.usedDuringCommit()
		tr.deferred = kv.CodeUsedDuringCommit
		return false
	}
	return true
}

// usedDuringCommit makes the transaction fail with 2017 unless it has failed
// already. It does not affect a commit in progress, so the commit's result stays
// true.
func (tr *Transaction) usedDuringCommit() error {
	err := kv.Error{Code: kv.CodeUsedDuringCommit}
	if tr.failure == nil {
		tr.failure = err
		tr.stamp.resolve(nil, err)
	}
	return err
}

// expire makes the transaction fail if its time limit has passed.
func (tr *Transaction) expire() {
	if tr.timeout <= 0 || tr.failure != nil {
		return
	}
	if _, passed := tr.life.state(); passed {
		tr.fail(kv.Error{Code: kv.CodeTransactionTimedOut})
	}
}

// fail makes every pending and later use fail with err. Watches whose value is
// known stay pending until the next reset, as in FoundationDB's client.
func (tr *Transaction) fail(err error) {
	if tr.failure == nil {
		tr.failure = err
	}
	tr.reads.fail(err)
	tr.compareOwn()
	tr.stamp.resolve(nil, err)
	tr.life.end()
}

// Cancel implements kv.OwnedTransaction.
func (tr *Transaction) Cancel() {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.fail(kv.Error{Code: kv.CodeTransactionCancelled})
}

// Reset implements kv.OwnedTransaction. It also clears the retry limit and the time
// limit.
func (tr *Transaction) Reset() {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.timeout, tr.created = 0, tr.store.Now()
	tr.retryLimit, tr.retries, tr.backoff = -1, 0, minBackoff
	tr.restart()
}

// codeBrokenPromise is the error of a versionstamp that can no longer be
// determined.
const codeBrokenPromise = 1100

// restart begins a new attempt with the same limits.
func (tr *Transaction) restart() {
	cancelled := kv.Error{Code: kv.CodeTransactionCancelled}
	tr.stamp.resolve(nil, kv.Error{Code: codeBrokenPromise})
	tr.fail(cancelled)
	tr.failWatches(cancelled)
	tr.attempt = attempt{
		life:             &lifetime{parent: tr.parent, store: tr.store},
		committedVersion: -1,
	}
	if tr.timeout > 0 {
		tr.life.deadline = tr.created.Add(tr.timeout)
	}
}

// SetRetryLimit implements kv.OwnedTransaction. It does nothing after an invalid
// write, as in FoundationDB's client.
func (tr *Transaction) SetRetryLimit(retries int) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.deferred == 0 {
		tr.retryLimit = retries
	}
}

// SetTimeout implements kv.OwnedTransaction. It does nothing after an invalid
// write, as in FoundationDB's client.
func (tr *Transaction) SetTimeout(d time.Duration) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.deferred != 0 {
		return
	}
	if d <= 0 {
		tr.timeout = 0
		tr.life.setDeadline(time.Time{})
		return
	}
	tr.timeout = d
	tr.life.setDeadline(tr.created.Add(d))
}

// Snapshot implements kv.ReadTransaction.
func (tr *Transaction) Snapshot() kv.ReadTransaction { return (*snapshot)(tr) }

// snapshot is a Transaction whose reads add no read conflicts.
type snapshot Transaction

func (s *snapshot) Get(key []byte) kv.Future[[]byte] {
	return (*Transaction)(s).get(key, true)
}

func (s *snapshot) GetRange(begin, end []byte, opts kv.RangeOptions) kv.Future[[]kv.KeyValue] {
	return (*Transaction)(s).getRange(begin, end, opts, true)
}

func (s *snapshot) GetReadVersion() kv.Future[int64] { return (*Transaction)(s).GetReadVersion() }

func (s *snapshot) Snapshot() kv.ReadTransaction { return s }

func (s *snapshot) Store() Store { return s.store }

// unlocked runs call without holding tr.mu, and locks it again even if call panics.
func (tr *Transaction) unlocked(call func()) {
	tr.mu.Unlock()
	defer tr.mu.Lock()
	call()
}

// asError converts an error of the store to a kv.Error. If the store stopped
// because the attempt ended, the result says why. It keeps the store's Committing
// and cause.
func asError(life *lifetime, err error) kv.Error {
	var e kv.Error
	if !errors.As(err, &e) {
		e = kv.Error{Code: kv.CodeIOError, Err: err}
	}
	if e.Code == kv.CodeTransactionCancelled {
		if why := life.failure(); why != nil {
			why.Committing = e.Committing
			if why.Err != nil && errors.Is(e.Err, life.parent.Err()) {
				why.Err = withCause(e.Err, context.Cause(life.parent))
			}
			return *why
		}
	}
	return e
}
