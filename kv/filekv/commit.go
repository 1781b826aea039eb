package filekv

import (
	"bytes"
	"context"
	"encoding/binary"
	"sort"

	"go.etcd.io/bbolt"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/internal/client"
)

// pruneStep is the maximum number of old log entries that one commit removes. It
// adds only one, so a long log shrinks to its window again.
const pruneStep = 16

// Commit implements client.Store. Each commit has its own version, so the batch
// number is always 0.
func (s *store) Commit(ctx context.Context, c *client.Commit) (client.CommitResult, error) {
	if c.ReadVersion != 0 {
		if err := s.issued.check(c.ReadVersion, s.Now()); err != nil {
			return client.CommitResult{}, err
		}
	}
	own := copyCommit(c)
	return access(ctx, s, exclusive, func(a *attempt) (client.CommitResult, error) { return s.commit(a, own) })
}

// copyCommit copies a commit, because the caller may reuse its memory after its
// context has ended, while the disk is still writing.
func copyCommit(c *client.Commit) *client.Commit {
	own := &client.Commit{
		ReadVersion:    c.ReadVersion,
		ReadConflicts:  copyRanges(c.ReadConflicts),
		WriteConflicts: copyRanges(c.WriteConflicts),
		Mutations:      make([]client.Mutation, len(c.Mutations)),
	}
	for i, m := range c.Mutations {
		own.Mutations[i] = client.Mutation{Kind: m.Kind, Key: clone(m.Key), Value: clone(m.Value), Offset: m.Offset}
	}
	return own
}

func copyRanges(ranges []client.Range) []client.Range {
	own := make([]client.Range, len(ranges))
	for i, r := range ranges {
		own[i] = client.Range{Begin: clone(r.Begin), End: clone(r.End)}
	}
	return own
}

// commit checks and writes a commit. The store is locked.
func (s *store) commit(a *attempt, c *client.Commit) (client.CommitResult, error) {
	var result client.CommitResult
	var failure error // of the write itself, whose data may be in the file nevertheless
	err := s.transaction(true, s.id, func(tx *bbolt.Tx, b *buckets) error {
		if err := s.check(b, c); err != nil {
			return err
		}
		next := b.state.advance(s.Now())
		result.Version = next.version
		changed, err := s.write(b, c, result, &next)
		if err != nil {
			return s.boltProblem(err, "cannot write")
		}
		if s.beforeWrite != nil {
			s.beforeWrite()
		}
		if !a.begin() {
			return s.cancelled("not started", context.Canceled)
		}
		a.signals = s.openSignals(changed, result.Version)
		if failure = tx.Commit(); failure == nil && s.afterWrite != nil {
			failure = s.afterWrite()
		}
		return nil
	})
	if err != nil {
		return client.CommitResult{}, err
	}
	if failure != nil {
		return client.CommitResult{}, s.commitFailed(failure, result.Version)
	}
	return result, nil
}

// check returns an error if the read version is not available or if a read conflicts
// with a later commit.
func (s *store) check(b *buckets, c *client.Commit) error {
	switch {
	case c.ReadVersion == 0 || c.ReadVersion == b.state.version:
		return nil
	case c.ReadVersion < b.state.floor:
		return kv.Error{Code: kv.CodeTransactionTooOld}
	case c.ReadVersion > b.state.version:
		return kv.Error{Code: kv.CodeFutureVersion}
	case len(c.ReadConflicts) == 0:
		return nil
	}
	conflict := false
	err := s.since(b.log, c.ReadVersion, false, func(e logEntry) bool {
		conflict = anyOverlap(c.ReadConflicts, e.writes)
		return !conflict
	})
	if err == nil && conflict {
		err = kv.Error{Code: kv.CodeNotCommitted}
	}
	return err
}

// anyOverlap reports whether a range of writes overlaps one of reads. reads are
// sorted and do not overlap each other.
func anyOverlap(reads, writes []client.Range) bool {
	for _, w := range writes {
		i := sort.Search(len(reads), func(i int) bool { return bytes.Compare(reads[i].End, w.Begin) > 0 })
		if i < len(reads) && bytes.Compare(reads[i].Begin, w.End) < 0 {
			return true
		}
	}
	return false
}

// write writes the commit to the buckets and returns the keys that it changes.
func (s *store) write(b *buckets, c *client.Commit, result client.CommitResult, next *state) ([]previous, error) {
	w := &writer{data: b.data, stamp: result.Stamp(), entry: logEntry{writes: c.WriteConflicts}}
	for _, m := range c.Mutations {
		if err := w.apply(m); err != nil {
			return nil, err
		}
	}
	if err := b.log.Put(logKey(next.version), w.entry.encode()); err != nil {
		return nil, err
	}
	if err := prune(b.log, next); err != nil {
		return nil, err
	}
	return w.entry.undo, b.meta.Put(fieldState, next.encode())
}

// prune removes up to pruneStep entries that are older than the window.
func prune(log *bbolt.Bucket, next *state) error {
	var old [][]byte
	c := log.Cursor()
	for k, _ := c.First(); len(k) == 8 && len(old) < pruneStep; k, _ = c.Next() {
		if int64(binary.BigEndian.Uint64(k)) > next.version-window {
			break
		}
		old = append(old, clone(k))
	}
	for _, k := range old {
		if err := log.Delete(k); err != nil {
			return err
		}
		next.floor = int64(binary.BigEndian.Uint64(k))
	}
	return nil
}

// writer applies the mutations of one commit and records the values that they
// replace.
type writer struct {
	data  *bbolt.Bucket
	stamp [client.StampSize]byte
	entry logEntry
}

func (w *writer) apply(m client.Mutation) error {
	switch m.Kind {
	case client.MutationStampedKey:
		copy(m.Key[m.Offset:], w.stamp[:])
		w.entry.writes = append(w.entry.writes, client.Range{Begin: m.Key, End: append(clone(m.Key), 0)})
		return w.set(m.Key, m.Value)
	case client.MutationStampedValue:
		copy(m.Value[m.Offset:], w.stamp[:])
		return w.set(m.Key, m.Value)
	case client.MutationClearRange:
		return w.clear(m.Key, m.Value)
	default:
		return w.set(m.Key, m.Value)
	}
}

func (w *writer) set(key, value []byte) error {
	stored := dataKey(key)
	w.recordUndo(key, w.data.Get(stored))
	if value == nil {
		value = []byte{}
	}
	return w.data.Put(stored, value)
}

// clear removes the keys from begin (inclusive) to end (exclusive).
func (w *writer) clear(begin, end []byte) error {
	var keys [][]byte // collected first, because a deletion invalidates the cursor
	p := past{data: w.data}
	c := p.cursor(&client.Read{Key: begin, End: end})
	for key, value := c.first(); key != nil; key, value = c.next() {
		w.recordUndo(key, value)
		keys = append(keys, dataKey(key))
	}
	for _, key := range keys {
		if err := w.data.Delete(key); err != nil {
			return err
		}
	}
	return nil
}

// recordUndo records the value of a key before a mutation. If a commit changes a key
// several times, readers use the first record.
func (w *writer) recordUndo(key, value []byte) {
	w.entry.undo = append(w.entry.undo, previous{key: clone(key), value: clone(value)})
}

// commitFailed checks, with the lock still held, whether the data of a failed commit
// is in the file. If it is, it may still be lost, because the disk has not confirmed
// it.
func (s *store) commitFailed(failure error, version int64) error {
	var newest int64
	err := s.view(s.id, func(b *buckets) error {
		newest = b.state.version
		return nil
	})
	return kv.Error{
		Code: kv.CodeIOError, Committing: err != nil || newest >= version,
		Err: s.boltProblem(failure, "cannot write the commit"),
	}
}
