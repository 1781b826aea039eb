package mirror

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/balance"
)

// Config returns the config, and whether there is one that can be read.
func (m *Mirror) Config() (group.Config, bool) {
	if m.config.row.Config == nil {
		return group.Config{}, false
	}
	return *m.config.row.Config, true
}

// Shard returns a shard, or nil if there is none of that name.
func (m *Mirror) Shard(name string) *Shard { return m.shards[name] }

// Shards returns all shards by rank. Do not change the slice.
func (m *Mirror) Shards() []*Shard {
	if m.order == nil {
		m.order = slices.AppendSeq(make([]*Shard, 0, len(m.shards)), maps.Values(m.shards))
		slices.SortFunc(m.order, func(a, b *Shard) int { return balance.Compare(a.Rank, a.Name, b.Rank, b.Name) })
	}
	return m.order
}

// Len returns the number of shards.
func (m *Mirror) Len() int { return len(m.shards) }

// Member returns a member record, or nil if there is none that can be read.
func (m *Mirror) Member(id string) *group.Member {
	if it := m.named[group.KindMember][id]; it != nil {
		return it.row.Member
	}
	return nil
}

// MemberUnreadable reports whether a member has a record that cannot be read.
func (m *Mirror) MemberUnreadable(id string) bool {
	it := m.named[group.KindMember][id]
	return it != nil && it.row.Unreadable != nil
}

// MemberIDs returns the ids of all members, also of those whose record cannot be read, in
// order.
func (m *Mirror) MemberIDs() []string {
	return slices.Sorted(maps.Keys(m.named[group.KindMember]))
}

// Pin returns the id of the member to which a shard is pinned, or "".
func (m *Mirror) Pin(shard string) string {
	if it := m.named[group.KindPin][shard]; it != nil {
		return it.row.Pin
	}
	return ""
}

// Request returns what is asked of the leader of a shard.
func (m *Mirror) Request(shard string) group.Request {
	if it := m.named[group.KindRequest][shard]; it != nil && it.row.Request != nil {
		return *it.row.Request
	}
	return group.Request{}
}

// Drained reports whether an operator drains a member.
func (m *Mirror) Drained(id string) bool { return m.named[group.KindDrain][id] != nil }

// DrainedIDs returns the ids of the members that an operator drains, in order.
func (m *Mirror) DrainedIDs() []string { return slices.Sorted(maps.Keys(m.named[group.KindDrain])) }

// Unreadable returns the errors of all records that cannot be read, joined, in the order of
// their kinds and names.
func (m *Mirror) Unreadable() error {
	if len(m.faults) == 0 {
		return nil
	}
	records := slices.SortedFunc(maps.Keys(m.faults), func(a, b record) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), strings.Compare(a.name, b.name))
	})
	faults := make([]error, len(records))
	for i, r := range records {
		faults[i] = m.faults[r]
	}
	return errors.Join(faults...)
}
