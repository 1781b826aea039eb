package memkv

import "sort"

// garbage queues every write in order of version, so that values older than the
// window can be dropped. Each commit examines more entries than it adds. Memory
// therefore stays proportional to the data plus the writes of one window.
type garbage struct {
	queue []written // in order of version
	added int       // since the last collection
}

type written struct {
	version int64
	item    *item
}

func (g *garbage) push(version int64, it *item) {
	g.queue = append(g.queue, written{version, it})
	g.added++
}

// garbageStep is the number of entries that a commit examines in addition to twice
// the number it added.
const garbageStep = 16

// collectGarbage drops values and conflicts that no read version in the window
// needs. db.mu is held.
func (db *DB) collectGarbage() {
	g, oldest := &db.garbage, db.clock.oldest()
	for n := 2*g.added + garbageStep; n > 0 && len(g.queue) > 0; n-- {
		w := g.queue[0]
		if w.version > oldest {
			break
		}
		g.queue[0] = written{} // release the item; the slice is reallocated when it grows
		g.queue = g.queue[1:]
		w.item.prune(oldest)
		if w.item.useless(oldest) {
			db.removeItem(w.item)
		}
	}
	g.added = 0
	drop := sort.Search(len(db.cleared), func(i int) bool { return db.cleared[i].version > oldest })
	clear(db.cleared[:drop])
	db.cleared = db.cleared[drop:]
}

// useless reports whether the item no longer matters to read versions from oldest
// on.
func (it *item) useless(oldest int64) bool {
	return len(it.cells) == 0 && it.conflict <= oldest && len(it.watches) == 0
}
