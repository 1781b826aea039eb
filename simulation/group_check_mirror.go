package simulation

import (
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/membership"
)

// checkMirror is invariant 42: a mirror that knows all changes up to now equals the database.
func (w *groupWorld) checkMirror(p *groupProcess, event membership.Event) {
	answered, ok := event.(membership.Answered)
	if !ok || answered.Answer.Beats != nil || answered.Answer.Beat.Value != "" { // it says nothing of other records
		return
	}
	if a := &answered.Answer; a.Page.Version > 0 && len(a.Page.Rows) > 0 && a.Page.Rows[0].Kind == group.KindConfig {
		p.scanned = a.Page.Version
	}
	mirror := p.machine.Mirror()
	if mirror.Version() < w.changedAt || p.scanned <= w.rawAt {
		return
	}
	known := map[group.Kind]int{}
	for _, one := range sortedRecords(w.rows) {
		row := w.rows[one]
		known[one.kind]++
		if !mirrored(p, &row) {
			w.violated(invGroupMirror, "%s knows all up to %d, and not %v", p.name, mirror.Version(), row)
		}
	}
	if len(mirror.MemberIDs()) != known[group.KindMember] || mirror.Len() != known[group.KindShard] || len(mirror.DrainedIDs()) != known[group.KindDrain] {
		w.violated(invGroupMirror, "%s knows %d members, %d shards and %d drains, there are %v", p.name, len(mirror.MemberIDs()), mirror.Len(), len(mirror.DrainedIDs()), known)
	}
	for i := range maxShards {
		name := shardName(i)
		pin, request := w.rows[groupRecord{group.KindPin, name}], w.rows[groupRecord{group.KindRequest, name}]
		if pin.Kind == 0 && mirror.Pin(name) != "" || request.Kind == 0 && mirror.Request(name).Kind != group.NoRequest {
			w.violated(invGroupMirror, "%s knows a pin or a request of %s, which does not exist", p.name, name)
		}
	}
}

// mirrored reports whether the mirror of a process has a row.
func mirrored(p *groupProcess, row *group.Row) bool {
	m := p.machine.Mirror()
	switch row.Kind {
	case group.KindConfig:
		config, ok := m.Config()
		return ok == (row.Config != nil) && (row.Config == nil || config == *row.Config)
	case group.KindMember:
		known := m.Member(row.Name)
		if row.Member == nil {
			return m.MemberUnreadable(row.Name)
		}
		return known != nil && known.Equal(row.Member)
	case group.KindShard:
		known := m.Shard(row.Name)
		if known == nil || row.Shard == nil {
			return known != nil && known.Unreadable != nil
		}
		return sameShard(&known.Shard, row.Shard) && known.Unreadable == nil
	case group.KindPin:
		return m.Pin(row.Name) == row.Pin
	case group.KindRequest:
		if row.Request == nil {
			return m.Request(row.Name).Kind == group.NoRequest
		}
		return m.Request(row.Name) == *row.Request
	default:
		return m.Drained(row.Name)
	}
}
