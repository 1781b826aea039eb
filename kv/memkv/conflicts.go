package memkv

import (
	"bytes"
	"sort"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/internal/client"
)

var errNotCommitted error = kv.Error{Code: kv.CodeNotCommitted}

// The version of the last write of a key is stored in its item. Write conflict
// ranges are stored in a list, because they also cover keys that have no item.

// rangeWrite is a write conflict range of a commit.
type rangeWrite struct {
	client.Range
	version int64
}

// markWritten records a write conflict.
func (db *DB) markWritten(r client.Range, version int64) {
	if isPoint(r.Begin, r.End) {
		it := db.item(r.Begin)
		it.conflict = version
		if len(it.cells) == 0 || it.cells[len(it.cells)-1].version != version {
			db.garbage.push(version, it)
		}
		return
	}
	db.cleared = append(db.cleared, rangeWrite{
		client.Range{Begin: bytes.Clone(r.Begin), End: bytes.Clone(r.End)}, version,
	})
}

// conflicts reports whether any key in ranges was written after version.
func (db *DB) conflicts(ranges []client.Range, version int64) bool {
	first := sort.Search(len(db.cleared), func(i int) bool { return db.cleared[i].version > version })
	newer := db.cleared[first:]
	for _, r := range ranges {
		for i := range newer {
			if bytes.Compare(r.Begin, newer[i].End) < 0 && bytes.Compare(newer[i].Begin, r.End) < 0 {
				return true
			}
		}
		if isPoint(r.Begin, r.End) {
			if it, ok := db.items[string(r.Begin)]; ok && it.conflict > version {
				return true
			}
			continue
		}
		found := false
		db.ascend(r.Begin, r.End, func(it *item) bool {
			found = it.conflict > version
			return !found
		})
		if found {
			return true
		}
	}
	return false
}

// isPoint reports whether the range contains only begin.
func isPoint(begin, end []byte) bool {
	n := len(begin)
	return len(end) == n+1 && end[n] == 0 && bytes.Equal(begin, end[:n])
}

// pointRange returns the range that contains only key.
func pointRange(key []byte) client.Range {
	end := append(bytes.Clone(key), 0)
	return client.Range{Begin: end[:len(key):len(key)], End: end}
}
