package groups

import (
	"cmp"
	"slices"
	"strings"

	"github.com/fdbelection/fdbelection/internal/groupview"
	"github.com/fdbelection/fdbelection/internal/mirror"
)

// Select returns shards: those that cannot be read first, then free ones, then by leader and name. It
// returns all of them, those of a leader, or the free ones.
func Select(st *groupview.State, leader string, free bool) []*mirror.Shard {
	type row struct {
		shard  *mirror.Shard
		place  int // 0: it cannot be read; 1: it is free
		leader string
	}
	var rows []row
	for _, s := range st.Mirror.Shards() {
		one := row{shard: s}
		switch {
		case s.Unreadable != nil:
		case st.Mirror.Free(s):
			one.place = 1
		default:
			one.place, one.leader = 2, s.Leader.ID
		}
		if free && one.place != 1 || leader != "" && one.leader != leader {
			continue
		}
		rows = append(rows, one)
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.place, b.place), strings.Compare(a.leader, b.leader), strings.Compare(a.shard.Name, b.shard.Name))
	})
	shards := make([]*mirror.Shard, len(rows))
	for i := range rows {
		shards[i] = rows[i].shard
	}
	return shards
}
