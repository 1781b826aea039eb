package memkv

import (
	"bytes"
	"slices"

	"github.com/fdbelection/fdbelection/kv/internal/client"
)

// The parts of a commit, as hooks and the commit log show them.
type (
	// Commit is the commit of one transaction. Its fields are:
	//
	//	ReadVersion    int64      // 0: nothing was read, the newest version is used
	//	ReadConflicts  []Range    // sorted, neither overlapping nor touching
	//	WriteConflicts []Range    // the same
	//	Mutations      []Mutation // in the order in which they are applied
	Commit = client.Commit
	// CommitResult is the position of a commit in the order of all commits. Its method
	// Stamp returns the versionstamp. Its fields are:
	//
	//	Version int64
	//	Batch   uint16
	CommitResult = client.CommitResult
	// Mutation is one write. MutationClearRange removes the keys from Key (inclusive) to
	// Value (exclusive). Offset is the position of a versionstamp in the key or value. Its
	// fields are:
	//
	//	Kind       MutationKind // one of the constants MutationSet and so on
	//	Key, Value []byte
	//	Offset     int
	Mutation = client.Mutation
	// Range is a range of keys from Begin (inclusive) to End (exclusive). Its fields are:
	//
	//	Begin, End []byte
	Range = client.Range
	// Read is one read of a wave. Its fields are:
	//
	//	Key     []byte // of a single read, or the begin (inclusive) of a range read
	//	End     []byte // the end (exclusive) of a range read, or nil
	//	Limit   int    // the most rows of a range read; 0 means no limit
	//	Reverse bool
	//
	//	Value []byte        // the answer to a single read; nil: no such key
	//	Rows  []kv.KeyValue // the answer to a range read, in the requested order
	Read = client.Read
	// MutationKind is the kind of a Mutation.
	MutationKind = client.MutationKind
)

// The kinds of mutations. The commit log has only the first two.
const (
	MutationSet          = client.MutationSet
	MutationClearRange   = client.MutationClearRange
	MutationStampedKey   = client.MutationStampedKey
	MutationStampedValue = client.MutationStampedValue
)

// LogEntry is one applied commit. The log holds all applied commits in order,
// regardless of the result that each client got. The slices of an entry are copies.
type LogEntry struct {
	Version     int64
	Batch       uint16
	ReadVersion int64 // 0 if the transaction read nothing

	Client      string
	Transaction uint64
	Label       string // set with WithLabel

	ReadConflicts  []Range
	WriteConflicts []Range
	// Mutations only set and clear, because versionstamps are already filled in.
	Mutations []Mutation

	// Late is set if the client got its result before the commit was applied.
	Late bool
	// Acknowledged is set once the client was told that the commit succeeded. It
	// stays false if the acknowledgement was lost.
	Acknowledged bool
}

// logging reports whether commits are logged.
func (db *DB) logging() bool { return db.opts.KeepLog || db.opts.OnCommit != nil }

// newEntry creates the entry of a commit, or returns nil if commits are not logged.
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

// add adds a mutation whose versionstamp is filled in.
func (e *LogEntry) add(m Mutation) {
	e.Mutations = append(e.Mutations, Mutation{
		Kind: m.Kind, Key: bytes.Clone(m.Key), Value: append([]byte{}, m.Value...),
	})
}

// record adds a complete entry to the log. db.mu is held.
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

// CommitLog returns all commits so far, oldest first. It is empty unless
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

// acknowledged records that the client was told about the commit.
func (db *DB) acknowledged(e *LogEntry) {
	if e == nil {
		return
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	e.Acknowledged = true
}
