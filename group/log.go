package group

import (
	"encoding/binary"
	"fmt"

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

func putVersion(stamp *subspace.Versionstamp, version int64) {
	binary.BigEndian.PutUint64(stamp.Transaction[:8], uint64(version))
}

// write sets a record and adds it to the log. The caller rings the bell.
func (g *Group) write(tr kv.Transaction, kind Kind, name string, value []byte) {
	tr.Set(g.keys.of(kind, name), value)
	entry := subspace.AppendBool(make([]byte, 0, len(value)+1), true)
	tr.SetVersionstampedKey(g.keys.entry(kind, name), append(entry, value...))
}

// remove clears a record and adds that to the log. The caller rings the bell.
func (g *Group) remove(tr kv.Transaction, kind Kind, name, by, why string) {
	tr.Clear(g.keys.of(kind, name))
	entry := subspace.AppendBool(nil, false)
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
func (g *Group) Watch(tr kv.Transaction) kv.Watch { return tr.Watch(g.keys.bell) }

// Changes is a part of the log.
type Changes struct {
	Changes []Change
	// Version is the version up to which the caller knows the log now: the read version, or
	// that of the last change if there are More.
	Version int64
	More    bool
	// Trimmed says that entries after the asked version were trimmed. Scan the group again.
	Trimmed bool
	// Oldest is the version of the oldest entry, or 0 if the log is empty.
	Oldest int64
}

// ReadLog returns the changes after a version, oldest first, by one wave of snapshot reads.
// It returns at most limit changes, and then the rest of the last transaction. It skips
// entries that cannot be read. If the read version is lower than after, the database was
// restored, and it reports Trimmed.
func (g *Group) ReadLog(tr kv.ReadTransaction, after int64, limit int) (Changes, error) {
	snapshot := tr.Snapshot()
	version, trimmed := snapshot.GetReadVersion(), snapshot.Get(g.keys.trimmed)
	begin, _ := record.Below(g.keys.log, record.StampCode, record.AfterStamp)
	oldest := snapshot.GetRange(begin, g.keys.endOfLog(), kv.RangeOptions{Limit: 1})
	entries := snapshot.GetRange(g.keys.firstEntry(after), g.keys.endOfLog(), kv.RangeOptions{Limit: limit})
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
	cut, err := g.awaitTrimmed(trimmed)
	if err != nil && !record.IsDamaged(err) {
		return Changes{}, err
	}
	changes := Changes{Version: now, Trimmed: now < after || cut > after || err != nil}
	if len(first) > 0 {
		if c, ok := g.keys.change(first[0].Key); ok {
			changes.Oldest = c.Version()
		}
	}
	if limit > 0 && len(rows) == limit {
		if rows, err = g.restOfLast(snapshot, rows); err != nil {
			return Changes{}, err
		}
		changes.More = true
	}
	for _, row := range rows {
		c, ok := g.keys.change(row.Key)
		if !ok {
			continue
		}
		if changes.More {
			changes.Version = c.Version()
		}
		c.decode(g, row.Value)
		changes.Changes = append(changes.Changes, c)
	}
	return changes, nil
}

// restOfLast adds the other changes of the version of the last row.
func (g *Group) restOfLast(snapshot kv.ReadTransaction, rows []kv.KeyValue) ([]kv.KeyValue, error) {
	last := rows[len(rows)-1].Key
	c, ok := g.keys.change(last)
	if !ok {
		return rows, nil
	}
	rest, err := snapshot.GetRange(append(record.Grow(last, 1), 0), g.keys.firstEntry(c.Version()), kv.RangeOptions{}).Get()
	return append(rows, rest...), err
}

// decode reads the value of an entry.
func (c *Change) decode(g *Group, value []byte) {
	const boolSize = 1
	r := subspace.NewReader(value)
	if r.Bool() {
		c.Row = g.row(c.Kind, c.Name, value[boolSize:])
		return
	}
	c.By, c.Why = r.Text(), r.Text()
	c.Removed = true
	if err := r.Err(); err != nil {
		c.Removed, c.Unreadable = false, fmt.Errorf("log entry of %s: %w", c.Kind, err)
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
	return version, r.Close()
}

// Trim removes the entries of the log up to a version. A member that has not read them scans
// the group again. It is safe to run again. Errors: ErrInvalidState.
func (g *Group) Trim(tr kv.Transaction, upTo int64) error {
	cut, err := g.awaitTrimmed(tr.Get(g.keys.trimmed))
	if err != nil && !record.IsDamaged(err) {
		return err
	}
	if upTo <= cut {
		return nil
	}
	tr.Set(g.keys.trimmed, subspace.AppendUint(record.New(12), uint64(upTo)))
	begin, _ := record.Below(g.keys.log, record.StampCode, record.AfterStamp)
	tr.ClearRange(begin, g.keys.firstEntry(upTo))
	return nil
}
