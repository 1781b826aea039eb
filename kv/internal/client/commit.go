package client

import (
	"sync"

	"github.com/fdbelection/fdbelection/kv"
)

// Commit implements kv.OwnedTransaction.
func (tr *Transaction) Commit() error {
	tr.mu.Lock()
	if err := tr.useError(); err != nil {
		if tr.deferred == 0 && !tr.committing {
			tr.contextEnded(err)
		}
		tr.mu.Unlock()
		return err
	}
	tr.committing = true
	tr.mu.Unlock()

	tr.io.Lock()
	defer tr.io.Unlock()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.commit()
}

// commit implements Commit. tr.io and tr.mu are held. tr.mu is released while the
// store works.
func (tr *Transaction) commit() error {
	// Reads that were not awaited are part of the transaction. Their conflicts
	// count, and the commit fails if one of them failed.
	tr.flush(false)
	if err := tr.endError(); err != nil {
		tr.contextEnded(err)
		return err
	}
	if err := tr.reads.failure; err != nil {
		return err // nothing was sent, so the watches stay pending until a reset
	}
	buf := commitBuffers.Get().(*commitBuffer)
	defer buf.release()
	c := tr.gather(buf)
	if len(c.Mutations) == 0 && len(c.WriteConflicts) == 0 {
		return tr.commitNothing()
	}
	if commitSize(c) > tr.opts.SizeLimit {
		return tr.commitFailed(kv.Error{Code: kv.CodeTransactionTooLarge})
	}
	var result CommitResult
	var err error
	life := tr.life
	tr.unlocked(func() { result, err = tr.store.Commit(life, c) })
	if err != nil {
		failure := asError(life, err)
		if life != tr.life { // reset concurrently
			return failure
		}
		return tr.commitFailed(failure)
	}
	if life != tr.life {
		return nil
	}
	tr.committedVersion = result.Version
	if tr.stamp != nil {
		stamp := result.Stamp()
		tr.stamp.resolve(stamp[:], nil)
	}
	tr.activateWatches(result.Version)
	return nil
}

// contextEnded fails the watches and the stamp if the context ended before the
// commit began. A reset would not revive the context.
func (tr *Transaction) contextEnded(err error) {
	if tr.failure == nil {
		tr.failWatches(err)
		tr.stamp.resolve(nil, err)
	}
}

// commitBuffer is the memory of a commit. The store does not keep it, so it is
// reused.
type commitBuffer struct {
	commit    Commit
	mutations []Mutation
	conflicts []Range
}

var commitBuffers = sync.Pool{New: func() any { return &commitBuffer{} }}

// maxKeptMutations is the maximum number of mutations or conflicts of a reused
// buffer.
const maxKeptMutations = 256

func (buf *commitBuffer) release() {
	if cap(buf.mutations) > maxKeptMutations || cap(buf.conflicts) > maxKeptMutations {
		return
	}
	clear(buf.mutations)
	clear(buf.conflicts[:cap(buf.conflicts)]) // joining shortened the slice
	buf.commit = Commit{}
	commitBuffers.Put(buf)
}

// gather builds the commit from what the transaction has done.
func (tr *Transaction) gather(buf *commitBuffer) *Commit {
	c := &buf.commit
	c.ReadVersion = tr.readVersion
	buf.mutations = tr.writes.mutations(buf.mutations[:0])
	buf.conflicts = tr.writes.writeConflicts(buf.conflicts[:0], &tr.arena)
	c.Mutations, c.WriteConflicts = buf.mutations, buf.conflicts
	tr.conflicts = normalize(tr.conflicts)
	c.ReadConflicts = tr.conflicts
	return c
}

// commitNothing commits a read-only transaction. There is nothing to check, because
// all its reads saw one version.
func (tr *Transaction) commitNothing() error {
	if counter, ok := tr.store.(ReadOnlyCounter); ok {
		counter.CountReadOnlyCommit()
	}
	tr.stamp.resolve(nil, kv.Error{Code: kv.CodeNoCommitVersion})
	tr.activateWatches(tr.readVersion)
	return nil
}

// commitFailed fails the stamp and the watches.
func (tr *Transaction) commitFailed(err kv.Error) error {
	stampErr := kv.Error{Code: kv.CodeInvalidVersion}
	if err.Outcome() == kv.Unsettled {
		stampErr = err
	}
	tr.stamp.resolve(nil, stampErr)
	tr.failWatches(err)
	return err
}

// activateWatches activates the watches after a successful commit.
func (tr *Transaction) activateWatches(version int64) {
	watches := tr.watches
	tr.watches = nil
	if len(watches) == 0 {
		return
	}
	life := tr.life
	tr.unlocked(func() { tr.activate(life, watches, version) })
}

// GetCommittedVersion implements kv.OwnedTransaction. It also returns -1 before a
// commit.
func (tr *Transaction) GetCommittedVersion() (int64, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.committedVersion, nil
}
