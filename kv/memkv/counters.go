package memkv

import (
	"errors"
	"sync/atomic"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/internal/client"
)

// Counters count the operations of a database, or of one transaction.
type Counters struct {
	Transactions int64 // begun
	ReadVersions int64 // requests for a read version without a read
	ReadWaves    int64 // waves of one or more reads
	Reads        int64 // keys and ranges read
	Commits      int64 // commits applied
	ReadOnly     int64 // commits of transactions that wrote nothing
	Conflicts    int64 // commits that failed with 1020
	BytesRead    int64 // values, and keys of ranges
	BytesWritten int64 // keys and values of mutations
	Watches      int64 // watches registered
}

// Sub returns the difference c - earlier, field by field.
func (c Counters) Sub(earlier Counters) Counters {
	return Counters{
		Transactions: c.Transactions - earlier.Transactions,
		ReadVersions: c.ReadVersions - earlier.ReadVersions,
		ReadWaves:    c.ReadWaves - earlier.ReadWaves,
		Reads:        c.Reads - earlier.Reads,
		Commits:      c.Commits - earlier.Commits,
		ReadOnly:     c.ReadOnly - earlier.ReadOnly,
		Conflicts:    c.Conflicts - earlier.Conflicts,
		BytesRead:    c.BytesRead - earlier.BytesRead,
		BytesWritten: c.BytesWritten - earlier.BytesWritten,
		Watches:      c.Watches - earlier.Watches,
	}
}

// counters is the concurrent version of Counters.
type counters struct {
	readVersions, waves, reads, commits, readOnly, conflicts atomic.Int64
	bytesRead, bytesWritten, watches                         atomic.Int64
}

func (c *counters) snapshot() Counters {
	return Counters{
		ReadVersions: c.readVersions.Load(),
		ReadWaves:    c.waves.Load(),
		Reads:        c.reads.Load(),
		Commits:      c.commits.Load(),
		ReadOnly:     c.readOnly.Load(),
		Conflicts:    c.conflicts.Load(),
		BytesRead:    c.bytesRead.Load(),
		BytesWritten: c.bytesWritten.Load(),
		Watches:      c.watches.Load(),
	}
}

// Counters returns the counters of the database since New.
func (db *DB) Counters() Counters {
	c := db.counters.snapshot()
	c.Transactions = int64(db.transactions.Load())
	return c
}

// sessionCounters are the counters of one transaction.
type sessionCounters struct {
	readVersions, waves, reads, commits, readOnly, conflicts atomic.Int32
	bytesRead, bytesWritten                                  atomic.Int64
}

func (s *session) countRead(reads, size int) {
	if reads == 0 {
		s.db.counters.readVersions.Add(1)
		s.counters.readVersions.Add(1)
		return
	}
	s.db.counters.waves.Add(1)
	s.db.counters.reads.Add(int64(reads))
	s.db.counters.bytesRead.Add(int64(size))
	s.counters.waves.Add(1)
	s.counters.reads.Add(int32(reads))
	s.counters.bytesRead.Add(int64(size))
}

func (s *session) countCommit(c *client.Commit, err error) {
	if err != nil {
		if errors.Is(err, errNotCommitted) {
			s.db.counters.conflicts.Add(1)
			s.counters.conflicts.Add(1)
		}
		return
	}
	size := int64(0)
	for i := range c.Mutations {
		size += int64(len(c.Mutations[i].Key) + len(c.Mutations[i].Value))
	}
	s.db.counters.commits.Add(1)
	s.db.counters.bytesWritten.Add(size)
	s.counters.commits.Add(1)
	s.counters.bytesWritten.Add(size)
}

// CountReadOnlyCommit implements client.ReadOnlyCounter.
func (s *session) CountReadOnlyCommit() {
	s.db.counters.readOnly.Add(1)
	s.counters.readOnly.Add(1)
}

func (s *session) countWatch() { s.db.counters.watches.Add(1) }

// CountersOf returns the counters of one transaction, over all its attempts.
// Watches are not counted. ok is false if tr is not a transaction of this package.
func CountersOf(tr kv.ReadTransaction) (c Counters, ok bool) {
	owned, ok := tr.(interface{ Store() client.Store })
	if !ok {
		return c, false
	}
	s, ok := owned.Store().(*session)
	if !ok {
		return c, false
	}
	return Counters{
		Transactions: 1,
		ReadVersions: int64(s.counters.readVersions.Load()),
		ReadWaves:    int64(s.counters.waves.Load()),
		Reads:        int64(s.counters.reads.Load()),
		Commits:      int64(s.counters.commits.Load()),
		ReadOnly:     int64(s.counters.readOnly.Load()),
		Conflicts:    int64(s.counters.conflicts.Load()),
		BytesRead:    s.counters.bytesRead.Load(),
		BytesWritten: s.counters.bytesWritten.Load(),
	}, true
}
