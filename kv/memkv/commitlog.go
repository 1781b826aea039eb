package memkv

import (
	"bytes"
	"slices"

	"github.com/fdbelection/fdbelection/kv/internal/client"
)

// The parts of a commit, as hooks and the log show them.
type (
	// Commit is a transaction at its commit.
	Commit = client.Commit
	// CommitResult is the place of a commit in the order of all commits.
	CommitResult = client.CommitResult
	// Mutation is one write.
	Mutation = client.Mutation
	// Range is a range of keys, begin inclusive, end exclusive.
	Range = client.Range
	// Read is one read of a wave.
	Read = client.Read
)

// The kinds of mutations. In the log there are only the first two.
const (
	MutationSet          = client.MutationSet
	MutationClearRange   = client.MutationClearRange
	MutationStampedKey   = client.MutationStampedKey
	MutationStampedValue = client.MutationStampedValue
)

// LogEntry is one commit that was applied. The log holds all of them in order,
// whatever their clients were told. Its slices are copies.
type LogEntry struct {
	Version     int64
	Batch       uint16
	ReadVersion int64 // 0 for a blind write

	Client      string
	Transaction uint64
	Label       string // of WithLabel

	ReadConflicts  []Range
	WriteConflicts []Range
	// Mutations have their stamps put in, so they only set and clear.
	Mutations []Mutation

	// Late: the client was answered before the commit was applied.
	Late bool
	// Acknowledged: the client was told that it committed. It is false while the
	// answer is on its way, and stays so where the answer was lost.
	Acknowledged bool
}

// logging reports whether anybody wants the log.
func (db *DB) logging() bool { return db.opts.KeepLog || db.opts.OnCommit != nil }

// newEntry begins the entry of a commit; nil where nobody wants it.
func (db *DB) newEntry(s *session, c *client.Commit, result client.CommitResult) *LogEntry {
	if !db.logging() {
		return nil
	}
	return &LogEntry{
		Version: result.Version, Batch: result.Batch, ReadVersion: c.ReadVersion,
		Client: s.client.name, Transaction: s.number, Label: s.label,
		ReadConflicts:  cloneRanges(c.ReadConflicts),
		WriteConflicts: cloneRanges(c.WriteConflicts),
		Mutations:      make([]Mutation, 0, len(c.Mutations)),
	}
}

// add adds a mutation whose stamp is put in.
func (e *LogEntry) add(m Mutation) {
	e.Mutations = append(e.Mutations, Mutation{
		Kind: m.Kind, Key: bytes.Clone(m.Key), Value: append([]byte{}, m.Value...),
	})
}

// record puts a finished entry into the log. db.mu is held.
func (db *DB) record(e *LogEntry, late bool) {
	if e == nil {
		return
	}
	e.Late, e.Acknowledged = late, db.hooks == nil
	if db.opts.KeepLog {
		db.log = append(db.log, e)
	}
	if db.opts.OnCommit != nil {
		db.opts.OnCommit(*e)
	}
}

// CommitLog returns the commits so far, oldest first. It is empty unless
// Options.KeepLog is set.
func (db *DB) CommitLog() []LogEntry {
	db.mu.Lock()
	defer db.mu.Unlock()
	out := make([]LogEntry, len(db.log))
	for i, e := range db.log {
		out[i] = *e
	}
	return out
}

func cloneRanges(ranges []Range) []Range {
	out := slices.Clone(ranges)
	for i := range out {
		out[i] = Range{Begin: bytes.Clone(out[i].Begin), End: bytes.Clone(out[i].End)}
	}
	return out
}

// acknowledged marks an entry whose client is told.
func (db *DB) acknowledged(e *LogEntry) {
	if e == nil {
		return
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	e.Acknowledged = true
}
