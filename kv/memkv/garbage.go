package memkv

import "sort"

// garbage lists what was written, in order, so that what the window has left
// behind is found again. Each commit looks at more than it adds, and so memory
// stays in proportion to the data and to the writes of one window.
type garbage struct {
	queue []written // by version
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

// garbageStep is how many entries a commit looks at that adds none.
const garbageStep = 16

// collectGarbage drops values and conflicts that no transaction can need whose
// read version is in the window. db.mu is held.
func (db *DB) collectGarbage() {
	g, oldest := &db.garbage, db.clock.oldest()
	for n := 2*g.added + garbageStep; n > 0 && len(g.queue) > 0; n-- {
		w := g.queue[0]
		if w.version > oldest {
			break
		}
		g.queue[0] = written{} // cut off, not moved: growth leaves it behind
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

// useless reports whether nothing of the item is left to see for a transaction
// whose read version is oldest or newer.
func (it *item) useless(oldest int64) bool {
	return len(it.cells) == 0 && it.conflict <= oldest && len(it.watches) == 0
}
