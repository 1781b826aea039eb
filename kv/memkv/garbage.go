package memkv

import (
	"slices"
	"sort"
)

// garbage lists what was written, in order, so that what the window has left
// behind is found again. Each commit looks at a little more than it adds, and
// memory stays in proportion to the data and to the writes of one window.
type garbage struct {
	queue []written
	head  int
}

type written struct {
	version int64
	item    *item
}

func (g *garbage) push(version int64, it *item) {
	g.queue = append(g.queue, written{version, it})
}

// garbageStep is how many more entries than it added a commit looks at.
const garbageStep = 16

// collectGarbage drops values and conflicts that no open transaction can need.
// db.mu is held.
func (db *DB) collectGarbage() {
	g, oldest := &db.garbage, db.clock.oldest()
	for n := 0; g.head < len(g.queue) && n < garbageStep; n++ {
		w := g.queue[g.head]
		if w.version > oldest {
			break
		}
		g.queue[g.head] = written{}
		g.head++
		w.item.prune(oldest)
		if len(w.item.cells) == 0 && w.item.conflict <= oldest && len(w.item.watches) == 0 {
			db.removeItem(w.item)
		}
	}
	if g.head > 1024 && g.head > len(g.queue)/2 {
		g.queue = slices.Delete(g.queue, 0, g.head)
		g.head = 0
	}
	if n := len(db.cleared); n > 0 && db.cleared[0].version <= oldest {
		drop := sort.Search(n, func(i int) bool { return db.cleared[i].version > oldest })
		db.cleared = slices.Delete(db.cleared, 0, drop)
	}
}
