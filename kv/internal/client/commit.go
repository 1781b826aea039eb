package client

import (
	"sync"

	"github.com/fdbelection/fdbelection/kv"
)

// Commit implements kv.OwnedTransaction.
func (tr *Transaction) Commit() error {
	tr.mu.Lock()
	if err := tr.unusable(); err != nil {
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

// commit does the work of Commit. tr.io and tr.mu are held, and tr.mu is
// released while the store works.
func (tr *Transaction) commit() error {
	// Reads that nobody awaited belong to the transaction all the same: their
	// conflicts count, and an error of theirs is the commit's.
	tr.flush(false)
	if err := tr.over(); err != nil {
		tr.contextEnded(err)
		return err
	}
	if err := tr.reads.failure; err != nil {
		return err // nothing was sent, so the watches do not learn of it before a reset
	}
	room := commitRooms.Get().(*commitRoom)
	defer room.release()
	c := tr.gather(room)
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
		if life != tr.life { // reset by somebody else meanwhile
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
		tr.stamp.settle(stamp[:], nil)
	}
	tr.activateWatches(result.Version)
	return nil
}

// contextEnded ends the watches and the stamp of a commit that did not begin
// because the context has ended: no reset will bring it back.
func (tr *Transaction) contextEnded(err error) {
	if tr.failure == nil {
		tr.failWatches(err)
		tr.stamp.settle(nil, err)
	}
}

// commitRoom is space for a commit. The store does not keep it, and so it is
// used again.
type commitRoom struct {
	commit    Commit
	mutations []Mutation
	conflicts []Range
}

var commitRooms = sync.Pool{New: func() any { return &commitRoom{} }}

// commitRoomKept is the most mutations that a room is kept with.
const commitRoomKept = 256

func (room *commitRoom) release() {
	if cap(room.mutations) > commitRoomKept || cap(room.conflicts) > commitRoomKept {
		return
	}
	clear(room.mutations)
	clear(room.conflicts[:cap(room.conflicts)]) // joining has shortened it
	room.commit = Commit{}
	commitRooms.Put(room)
}

// gather makes the commit of what the transaction has done.
func (tr *Transaction) gather(room *commitRoom) *Commit {
	c := &room.commit
	c.ReadVersion = tr.readVersion
	room.mutations = tr.writes.mutations(room.mutations[:0])
	room.conflicts = tr.writes.writeConflicts(room.conflicts[:0], &tr.arena)
	c.Mutations, c.WriteConflicts = room.mutations, room.conflicts
	tr.conflicts = normalize(tr.conflicts)
	c.ReadConflicts = tr.conflicts
	return c
}

// commitNothing ends a transaction that wrote nothing. There is nothing to
// check: its reads were of one version.
func (tr *Transaction) commitNothing() error {
	if counter, ok := tr.store.(ReadOnlyCounter); ok {
		counter.CountReadOnlyCommit()
	}
	tr.stamp.settle(nil, kv.Error{Code: kv.CodeNoCommitVersion})
	tr.activateWatches(tr.readVersion)
	return nil
}

// commitFailed tells the stamp and the watches.
func (tr *Transaction) commitFailed(err kv.Error) error {
	stampErr := kv.Error{Code: kv.CodeInvalidVersion}
	if err.Outcome() == kv.Unsettled {
		stampErr = err
	}
	tr.stamp.settle(nil, stampErr)
	tr.failWatches(err)
	return err
}

// activateWatches hands over the watches of a commit that succeeded.
func (tr *Transaction) activateWatches(version int64) {
	watches := tr.watches
	tr.watches = nil
	if len(watches) == 0 {
		return
	}
	life := tr.life
	tr.unlocked(func() { tr.activate(life, watches, version) })
}

// GetCommittedVersion implements kv.OwnedTransaction. Before a commit it is -1
// as well.
func (tr *Transaction) GetCommittedVersion() (int64, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.committedVersion, nil
}
