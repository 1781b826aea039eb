package client

import (
	"github.com/fdbelection/fdbelection/kv"
)

// read is a read of the transaction, and its future. Reads that need the store join
// the pending wave. It is sent when the first of them is awaited.
type read struct {
	Read
	tr       *Transaction
	snapshot bool
	done     bool
	err      error
	scan     *scan // nil for a single key
}

// readSet holds the reads of one attempt.
type readSet struct {
	free     []read           // preallocated
	pending  []*read          // the wave that was not sent yet
	inFlight []*read          // the wave that the store is answering
	points   []*read          // answered reads of single keys; they serve later reads
	index    map[string]*read // of points, if there are many
	ranges   []*read          // answered range reads
	// failure is the first error of a read. The commit waits for all reads, so it
	// fails with this error.
	failure error
}

// new returns a new read.
func (s *readSet) new() *read {
	if len(s.free) == 0 {
		s.free = make([]read, 8)
	}
	r := &s.free[0]
	s.free = s.free[1:]
	return r
}

// fail makes all unanswered reads fail.
func (s *readSet) fail(err error) {
	for _, wave := range [...][]*read{s.pending, s.inFlight} {
		for _, r := range wave {
			if !r.done {
				r.done, r.err = true, err
			}
		}
	}
	s.pending, s.inFlight = nil, nil
}

// failedFuture is a future whose operation failed at once.
type failedFuture[T any] struct{ err error }

func (f failedFuture[T]) Get() (T, error) {
	var zero T
	return zero, f.err
}

// valueFuture and rowsFuture are the two kinds of future that a read can be.
type (
	valueFuture read
	rowsFuture  read
)

func (f *valueFuture) Get() ([]byte, error) {
	r := (*read)(f)
	if err := r.await(); err != nil {
		return nil, err
	}
	return r.Value, nil
}

func (f *rowsFuture) Get() ([]kv.KeyValue, error) {
	r := (*read)(f)
	if err := r.await(); err != nil {
		return nil, err
	}
	return r.scan.result, nil
}

// await sends the wave if r is still part of it, and waits for the answer.
func (r *read) await() error {
	tr := r.tr
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if r.done {
		return r.err
	}
	tr.mu.Unlock()
	tr.io.Lock() // wait for the wave in flight
	defer tr.io.Unlock()
	tr.mu.Lock()
	if !r.done {
		tr.flush(false)
	}
	return r.err
}

// Get implements kv.ReadTransaction.
func (tr *Transaction) Get(key []byte) kv.Future[[]byte] { return tr.get(key, false) }

func (tr *Transaction) get(key []byte, snapshot bool) kv.Future[[]byte] {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if err := tr.useError(); err != nil {
		return failedFuture[[]byte]{err}
	}
	if isSystemKey(key) {
		return failedFuture[[]byte]{kv.Error{Code: kv.CodeKeyOutsideLegalRange}}
	}
	r := tr.startGet(key, snapshot)
	if r.err != nil && tr.reads.failure == nil {
		tr.reads.failure = r.err
	}
	return (*valueFuture)(r)
}

// startGet begins a read of a single key and adds its conflict.
func (tr *Transaction) startGet(key []byte, snapshot bool) *read {
	r := tr.reads.new()
	r.tr, r.snapshot = tr, snapshot
	if len(key) > MaxKeySize { // no such key exists
		r.done = true
		return r
	}
	found, value := tr.writes.get(key)
	switch found {
	case lookupUnreadable:
		r.Key = tr.arena.clone(key)
		r.done, r.err = true, kv.Error{Code: kv.CodeAccessedUnreadable}
		return r
	case lookupValue, lookupCleared:
		r.Key = tr.arena.clone(key)
		r.done, r.Value = true, value
		return r
	case lookupUnknown:
	}
	if snapshot {
		r.Key = tr.arena.clone(key)
	} else {
		conflict := tr.arena.point(key)
		r.Key = conflict.Begin
		tr.conflicts = append(tr.conflicts, conflict)
	}
	if known, value := tr.reads.known(key); known {
		r.done, r.Value = true, value
		return r
	}
	tr.reads.pending = append(tr.reads.pending, r)
	return r
}

// flush sends the pending wave and waits for its answers. With takeVersion it sends
// even an empty wave if there is no read version yet. tr.io and tr.mu are held.
// tr.mu is released while the store works.
func (tr *Transaction) flush(takeVersion bool) {
	if err := tr.endError(); err != nil {
		tr.readsFailed(err)
		return
	}
	wave := tr.reads.pending
	if len(wave) == 0 && (!takeVersion || tr.readVersion != 0) {
		return
	}
	for len(wave) > 0 || tr.readVersion == 0 {
		tr.reads.inFlight, tr.reads.pending = wave, nil
		if !tr.readWave(wave) {
			return
		}
		// Own writes may have hidden rows of a limited range, which then asks
		// again.
		again := wave[:0]
		for _, r := range wave {
			if r.finish() {
				tr.reads.remember(r)
			} else {
				again = append(again, r)
			}
		}
		wave = again
	}
	tr.reads.inFlight = nil
	if tr.reads.pending == nil {
		tr.reads.pending = wave[:0]
	}
	if len(tr.watches) > 0 {
		tr.compareOwn()
	}
}

// readWave sends a wave to the store. It returns false if the wave failed or the
// transaction was reset meanwhile.
func (tr *Transaction) readWave(wave []*read) bool {
	var room [6]*Read
	requests := room[:0]
	for _, r := range wave {
		requests = append(requests, &r.Read)
	}
	var err error
	life, version := tr.life, tr.readVersion
	tr.unlocked(func() { version, err = tr.store.Read(life, version, requests) })
	if life != tr.life {
		return false // Reset has already failed the reads
	}
	if err == nil {
		// The time limit or a Cancel may have come first.
		tr.expire()
		err = tr.endError()
	}
	if err != nil {
		tr.readsFailed(asError(life, err))
		return false
	}
	tr.readVersion = version
	return true
}

// readsFailed makes the wave fail with err. The commit will fail with it, too.
func (tr *Transaction) readsFailed(err error) {
	if tr.reads.failure == nil {
		tr.reads.failure = err
	}
	tr.reads.fail(err)
	tr.compareOwn()
}

// finish adds the store's answer to r. It returns false if r must ask again. tr.mu
// is held.
func (r *read) finish() bool {
	if r.done {
		return true // failed meanwhile
	}
	if r.scan != nil {
		return r.addAnswer()
	}
	r.done = true
	return true
}

// GetReadVersion implements kv.ReadTransaction. It may be called after the commit
// has begun.
func (tr *Transaction) GetReadVersion() kv.Future[int64] {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.expire()
	if tr.deferred != 0 {
		return failedFuture[int64]{kv.Error{Code: tr.deferred}}
	}
	if err := tr.endError(); err != nil {
		return failedFuture[int64]{err}
	}
	return &versionFuture{tr: tr, life: tr.life}
}

// versionFuture is the future of the read version of one attempt.
type versionFuture struct {
	tr      *Transaction
	life    *lifetime
	done    bool
	version int64
	err     error
}

func (f *versionFuture) Get() (int64, error) {
	tr := f.tr
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if !f.done && f.life == tr.life && tr.readVersion == 0 {
		tr.mu.Unlock()
		tr.io.Lock() // wait for the wave in flight, which takes a read version, too
		defer tr.io.Unlock()
		tr.mu.Lock()
		if f.life == tr.life && tr.readVersion == 0 {
			tr.flush(true)
		}
	}
	if !f.done {
		f.done = true
		f.version, f.err = f.answer()
	}
	return f.version, f.err
}

func (f *versionFuture) answer() (int64, error) {
	tr := f.tr
	if f.life != tr.life {
		return 0, kv.Error{Code: kv.CodeTransactionCancelled}
	}
	if tr.readVersion != 0 {
		return tr.readVersion, nil
	}
	if err := tr.endError(); err != nil {
		return 0, err
	}
	return 0, tr.reads.failure
}
