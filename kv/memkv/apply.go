package memkv

import (
	"slices"

	"github.com/fdbelection/fdbelection/kv/internal/client"
)

// apply checks and applies a commit. It adds the watches that fire to db.fired. The
// caller notifies them after it has unlocked db.mu, which is held.
func (db *DB) apply(s *session, c *client.Commit) (client.CommitResult, *LogEntry, error) {
	version := db.clock.advance(db.opts.Now(), 1)
	if c.ReadVersion != 0 {
		if err := db.clock.check(c.ReadVersion); err != nil {
			return client.CommitResult{}, nil, err
		}
		if db.conflicts(c.ReadConflicts, c.ReadVersion) {
			return client.CommitResult{}, nil, errNotCommitted
		}
	}
	// Every commit has its own version, so the batch is always 0.
	result := client.CommitResult{Version: version}
	entry := db.newEntry(s, c, result)
	values := newValueBlock(c.Mutations)
	for i := range c.Mutations {
		m := resolve(&c.Mutations[i], result, &values)
		db.mutate(m, version)
		if entry != nil {
			entry.add(m)
		}
	}
	for _, r := range c.WriteConflicts {
		db.markWritten(r, version)
	}
	for i := range c.Mutations {
		if m := &c.Mutations[i]; m.Kind == client.MutationStampedKey {
			key := stampedKey(m, result)
			db.item(key).conflict = version
			if entry != nil {
				entry.WriteConflicts = append(entry.WriteConflicts, pointRange(key))
			}
		}
	}
	db.collectGarbage()
	db.fireTouched()
	return result, entry, nil
}

// resolve fills in the versionstamp and copies the value. The result is a set or a
// clear. It may be kept, except for its keys, which are copied where they are
// stored.
func resolve(m *client.Mutation, result client.CommitResult, values *valueBlock) Mutation {
	switch m.Kind {
	case client.MutationStampedKey:
		return Mutation{Kind: client.MutationSet, Key: stampedKey(m, result), Value: values.clone(m.Value)}
	case client.MutationStampedValue:
		value := values.clone(m.Value)
		stamp := result.Stamp()
		copy(value[m.Offset:], stamp[:])
		return Mutation{Kind: client.MutationSet, Key: m.Key, Value: value}
	case client.MutationSet:
		return Mutation{Kind: client.MutationSet, Key: m.Key, Value: values.clone(m.Value)}
	default:
		return *m
	}
}

// stampedKey returns the key with its versionstamp filled in.
func stampedKey(m *client.Mutation, result client.CommitResult) []byte {
	key := slices.Clone(m.Key)
	stamp := result.Stamp()
	copy(key[m.Offset:], stamp[:])
	return key
}

// mutate applies one mutation.
func (db *DB) mutate(m Mutation, version int64) {
	oldest := db.clock.oldest()
	if m.Kind == client.MutationSet {
		it := db.item(m.Key)
		it.put(version, m.Value, oldest)
		db.wrote(it, version)
		return
	}
	if isPoint(m.Key, m.Value) {
		if it, ok := db.items[string(m.Key)]; ok && it.newest() != nil {
			it.put(version, nil, oldest)
			db.wrote(it, version)
		}
		return
	}
	db.ascend(m.Key, m.Value, func(it *item) bool {
		if it.newest() != nil {
			it.put(version, nil, oldest)
			db.wrote(it, version)
		}
		return true
	})
}

// wrote records that an item was written, for the garbage collection and its
// watches.
func (db *DB) wrote(it *item, version int64) {
	db.garbage.push(version, it)
	if len(it.watches) > 0 && !slices.Contains(db.touched, it) {
		db.touched = append(db.touched, it)
	}
}

// valueBlock allocates the values of one commit together.
type valueBlock struct{ block []byte }

func newValueBlock(mutations []client.Mutation) valueBlock {
	size := 0
	for i := range mutations {
		if m := &mutations[i]; m.Kind != client.MutationClearRange {
			size += len(m.Value)
		}
	}
	return valueBlock{make([]byte, 0, size)}
}

// clone returns a copy of value that is never nil.
func (b *valueBlock) clone(value []byte) []byte {
	at := len(b.block)
	b.block = append(b.block, value...)
	return b.block[at:len(b.block):len(b.block)]
}
