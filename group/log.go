package group

import (
	"encoding/binary"
	"slices"

	"github.com/fdbelection/fdbelection/internal/record"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// Change is an entry of the log: what one transaction did to one record.
type Change struct {
	// Stamp is the versionstamp of the transaction.
	Stamp subspace.Versionstamp
	// Row is the record after the change.
	Row
	// By is the member that removed the record, and Why says why. Both are empty if the
	// record was not removed.
	By, Why string
}

// Version returns the commit version of the change.
func (c *Change) Version() int64 { return int64(binary.BigEndian.Uint64(c.Stamp.Transaction[:8])) }

// write sets a record and adds it to the log. The caller rings the bell.
func (g *Group) write(tr kv.Transaction, kind Kind, name string, value []byte) {
	tr.Set(g.keys.of(kind, name), value)
	tr.SetVersionstampedKey(g.keys.entry(kind, name), value)
}

// remove clears a record and adds that to the log. The caller rings the bell. The second
// element of the entry is a bool, which is not the second element of any record.
func (g *Group) remove(tr kv.Transaction, kind Kind, name, by, why string) {
	tr.Clear(g.keys.of(kind, name))
	entry := subspace.AppendBool(record.New(len(by)+len(why)+8), true)
	entry = subspace.AppendString(subspace.AppendString(entry, by), why)
	tr.SetVersionstampedKey(g.keys.entry(kind, name), entry)
}

// ring writes the bell, which all members watch. It conflicts with nothing.
func (g *Group) ring(tr kv.Transaction) {
	value := subspace.AppendVersionstamp(record.New(20), subspace.IncompleteVersionstamp(0))
	tr.SetVersionstampedValue(g.keys.bell, record.AppendOffset(value, len(value)-12))
}

// Watch returns a watch that fires at the next change of the group. No heartbeat is a
// change. Read the log in the same transaction, so that no change is missed between the two.
// That transaction must not have changed the group: reading what it has added to the log fails
// (code 1036).
func (g *Group) Watch(tr kv.Transaction) kv.Watch { return tr.Watch(g.keys.bell) }

// Changes is a part of the log.
type Changes struct {
	Changes []Change
	// Version is the version up to which the caller knows the log now: the read version, or
	// that of the last change if there are More.
	Version int64
	More    bool
	// Trimmed says that entries after the asked version may have been trimmed. Scan the group
	// again.
	Trimmed bool
	// Unreadable says why the record of the trimming cannot be read (ErrInvalidState). Then
	// Trimmed is what the oldest entry shows, and the next Trim replaces the record.
	Unreadable error
	// Oldest is the version of the oldest entry, or 0 if the log is empty. It is 1 if the log
	// has entries of later versions than the database: it was restored, and Trim removes them.
	Oldest int64
}

// ReadLog returns the changes after a version, oldest first, by one wave of snapshot reads.
// It returns at most limit changes, and then the rest of the last version. A limit below 1
// means no limit. It skips entries of other kinds and shapes, and those of a later version than
// that of the database. If the read version is lower than after, the database was restored, and
// it reports Trimmed. Errors: ErrInvalidState (of the record of the trimming, if a newer
// program has written it).
func (g *Group) ReadLog(tr kv.ReadTransaction, after int64, limit int) (Changes, error) {
	snapshot := tr.Snapshot()
	after, limit = max(after, 0), max(limit, 0)
	version, trimmed := snapshot.GetReadVersion(), snapshot.Get(g.keys.trimmed)
	begin, end := record.Below(g.keys.log, record.StampCode, record.AfterStamp)
	oldest := snapshot.GetRange(begin, end, kv.RangeOptions{Limit: 1})
	entries := snapshot.GetRange(g.keys.firstEntry(after), end, kv.RangeOptions{Limit: limit})
	now, err := version.Get()
	if err != nil {
		return Changes{}, err
	}
	first, err := oldest.Get()
	if err != nil {
		return Changes{}, err
	}
	rows, err := entries.Get()
	if err != nil {
		return Changes{}, err
	}
	changes := Changes{Version: now}
	if len(first) > 0 {
		changes.Oldest = g.keys.version(first[0].Key)
	}
	if err := changes.setTrimmed(g, trimmed, after); err != nil {
		return Changes{}, err
	}
	changes.More = limit > 0 && len(rows) == limit
	if n := len(rows); n > 0 && g.keys.version(rows[n-1].Key) > now {
		rows = slices.DeleteFunc(rows, func(row kv.KeyValue) bool { return g.keys.version(row.Key) > now })
		changes.More, changes.Oldest = false, 1
	}
	if changes.More {
		last := rows[len(rows)-1].Key
		changes.Version = g.keys.version(last)
		rest, err := snapshot.GetRange(append(record.Grow(last, 1), 0), g.keys.firstEntry(changes.Version), kv.RangeOptions{}).Get()
		if err != nil {
			return Changes{}, err
		}
		rows = append(rows, rest...)
	}
	for _, row := range rows {
		if c, ok := g.keys.change(row.Key); ok {
			c.decode(g, row)
			changes.Changes = append(changes.Changes, c)
		}
	}
	return changes, nil
}

// setTrimmed says what the record of the trimming means for a reader that knows the log up to a
// version.
func (c *Changes) setTrimmed(g *Group, read kv.Future[[]byte], after int64) error {
	now := c.Version
	cut, err := g.awaitTrimmed(read)
	switch {
	case record.IsDamaged(err):
		c.Unreadable, cut = err, now
		if c.Oldest > 0 {
			cut = min(c.Oldest, now) // later entries were not trimmed
		}
	case err != nil:
		return err
	case cut > now:
		cut = 0 // from before the database was restored
	}
	c.Trimmed = now < after || after < cut
	return nil
}

// decode reads the value of an entry: the record, or who removed it.
func (c *Change) decode(g *Group, row kv.KeyValue) {
	r := record.Open("log entry", row.Key, row.Value)
	if r.Peek() != subspace.KindBool {
		c.Row = g.row(c.Kind, c.Name, row.Value)
		return
	}
	r.Skip()
	by, why := r.Text(), r.Text()
	if r.Sound() && by != "" && record.NameProblem(by) != "" {
		r.Fail("the id of its author " + record.NameProblem(by))
	}
	if c.Unreadable = r.Close(); c.Unreadable == nil {
		c.Removed, c.By, c.Why = true, by, why
	}
}

// awaitTrimmed returns the version up to which the log was trimmed.
func (g *Group) awaitTrimmed(read kv.Future[[]byte]) (int64, error) {
	value, err := read.Get()
	if err != nil || value == nil {
		return 0, err
	}
	r := record.Open("trimmed", g.keys.trimmed, value)
	version := int64(r.Count())
	if err := r.Close(); err != nil {
		return 0, err
	}
	return version, nil
}

func trimmedValue(version int64) []byte { return subspace.AppendUint(record.New(12), uint64(version)) }

// laterCommits is more than the commit version of a transaction can be above its read version.
// A database refuses the commit as too old if it would be more than half of it.
const laterCommits = 10_000_000

// Trim removes the entries of the log up to a version, which is at most the read version. A
// member that has not read them scans the group again. It also removes entries that are from
// before the database was restored. Use it in a transaction of its own. It is safe to run
// again. Errors: ErrInvalidState.
func (g *Group) Trim(tr kv.Transaction, upTo int64) error {
	version, trimmed := tr.GetReadVersion(), tr.Get(g.keys.trimmed)
	now, err := version.Get()
	if err != nil {
		return err
	}
	cut, err := g.awaitTrimmed(trimmed)
	switch {
	case err != nil && !record.IsDamaged(err):
		return err
	case cut > now:
		cut = 0 // from before the database was restored
	}
	if upTo = min(upTo, now); upTo <= cut {
		return nil
	}
	tr.Set(g.keys.trimmed, trimmedValue(upTo))
	begin, end := record.Below(g.keys.log, record.StampCode, record.AfterStamp)
	tr.ClearRange(begin, g.keys.firstEntry(upTo))
	tr.ClearRange(g.keys.firstEntry(now+laterCommits), end)
	return nil
}
