package mirror

import "github.com/fdbelection/fdbelection/internal/balance"

// Balance returns the members and the shards as the plan sees them, in the order of MemberIDs and
// of Shards. A member whose record cannot be read is not ready.
func (m *Mirror) Balance() ([]balance.Member, []balance.Shard) {
	ids := m.MemberIDs()
	members := make([]balance.Member, len(ids))
	index := make(map[string]int32, len(ids))
	for i, id := range ids {
		index[id], members[i].ID = int32(i), id
		if member := m.Member(id); member != nil {
			members[i].Weight, members[i].Capacity = member.Weight, member.Capacity
			members[i].Ready, members[i].Draining = member.Ready(), member.Draining || m.Drained(id)
		}
	}
	shards := make([]balance.Shard, len(m.Shards()))
	for i, s := range m.Shards() {
		shards[i] = m.balanceShard(s, index)
	}
	return members, shards
}

// balanceShard returns a shard as the plan sees it.
func (m *Mirror) balanceShard(s *Shard, index map[string]int32) balance.Shard {
	one := balance.Shard{Name: s.Name, Rank: s.Rank, Leader: balance.None, Pin: balance.None}
	if !m.Free(s) {
		if i, ok := index[s.Leader.ID]; ok {
			one.Leader = i
		}
	}
	if pin := m.Pin(s.Name); pin != "" {
		if i, ok := index[pin]; ok {
			one.Pin = i
		}
	}
	return one
}
