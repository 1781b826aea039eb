package memkv

import (
	"bytes"
	"slices"
	"sort"

	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/kv/internal/client"
)

// item is a key with all its values that the window still needs. An item that is no
// longer needed is removed.
type item struct {
	key   []byte
	cells []cell // by version, oldest first
	// conflict is the version of the last write of this key, or of the last
	// explicit write conflict on it.
	conflict int64
	watches  []*Watch
}

// cell is the value of a key since a version. A nil value means that the key is
// absent.
type cell struct {
	version int64
	value   []byte
}

// at returns the value at a version.
func (it *item) at(version int64) []byte {
	n := len(it.cells)
	if n == 0 {
		return nil
	}
	if last := it.cells[n-1]; last.version <= version {
		return last.value
	}
	i := sort.Search(n, func(i int) bool { return it.cells[i].version > version })
	if i == 0 {
		return nil
	}
	return it.cells[i-1].value
}

// newest returns the current value.
func (it *item) newest() []byte {
	if n := len(it.cells); n > 0 {
		return it.cells[n-1].value
	}
	return nil
}

// put sets the value as of version. It first drops cells that are no longer visible
// if there is no room.
func (it *item) put(version int64, value []byte, oldest int64) {
	n := len(it.cells)
	if n > 0 && it.cells[n-1].version == version {
		it.cells[n-1].value = value
		return
	}
	if n == cap(it.cells) {
		it.prune(oldest)
	}
	it.cells = append(it.cells, cell{version, value})
}

// prune drops the cells that are not visible at oldest or any later version.
func (it *item) prune(oldest int64) {
	drop := 0
	for drop+1 < len(it.cells) && it.cells[drop+1].version <= oldest {
		drop++
	}
	if drop+1 == len(it.cells) && it.cells[drop].value == nil && it.cells[drop].version <= oldest {
		drop++
	}
	if drop == 0 {
		return
	}
	// Reslice instead of moving, because a busy key has many cells. The dropped
	// part is released when the slice next grows, or below.
	clear(it.cells[:drop])
	it.cells = it.cells[drop:]
	if len(it.cells) <= 1 && drop > 4 {
		it.cells = slices.Clone(it.cells)
	}
}

// item returns the item of key, and creates it if necessary. db.mu is held.
func (db *DB) item(key []byte) *item {
	if it, ok := db.items[string(key)]; ok {
		return it
	}
	name := string(key)
	it := &item{key: []byte(name)}
	db.items[name] = it
	db.order.Set(name, it)
	return it
}

// removeItem removes an item, unless the key has been created again as another
// item.
func (db *DB) removeItem(it *item) {
	if db.items[string(it.key)] != it {
		return
	}
	delete(db.items, string(it.key))
	db.order.Delete(string(it.key))
}

// ascend calls fn for the items in [begin, end) in order until fn returns false.
// db.mu is held. fn must not add or remove items.
func (db *DB) ascend(begin, end []byte, fn func(*item) bool) {
	db.order.Ascend(string(begin), func(_ string, it *item) bool {
		return bytes.Compare(it.key, end) < 0 && fn(it)
	})
}

// descend is ascend in reverse order.
func (db *DB) descend(begin, end []byte, fn func(*item) bool) {
	db.order.Descend(string(end), func(_ string, it *item) bool {
		if bytes.Equal(it.key, end) {
			return true // the end is exclusive
		}
		return bytes.Compare(it.key, begin) >= 0 && fn(it)
	})
}

// answer fills in the answer to a read at version, and returns its size. db.mu is
// held.
func (db *DB) answer(r *client.Read, version int64) (size int) {
	if r.End == nil {
		if it, ok := db.items[string(r.Key)]; ok {
			r.Value = it.at(version)
		}
		return len(r.Value)
	}
	visit := db.ascend
	if r.Reverse {
		visit = db.descend
	}
	visit(r.Key, r.End, func(it *item) bool {
		value := it.at(version)
		if value == nil {
			return true
		}
		r.Rows = append(r.Rows, kv.KeyValue{Key: it.key, Value: value})
		size += len(it.key) + len(value)
		return r.Limit == 0 || len(r.Rows) < r.Limit
	})
	return size
}
