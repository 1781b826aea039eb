package grouptest

import (
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/mirror"
)

// shippedMirror lets the mirror that members use follow the group.
type shippedMirror struct{ *mirror.Mirror }

func newShipped() shippedMirror { return shippedMirror{mirror.New(nil)} }

// step reads the next page, or the next part of the log.
func (m shippedMirror) step(g *testGroup, limit int) (more bool) {
	if from, scanning := m.Next(); scanning {
		page := g.page(from, limit)
		m.AddPage(&page)
		return true
	}
	changes := g.changes(m.Cursor(), limit)
	return m.AddChanges(&changes) || changes.More
}

// requireComplete lets the mirror read the rest, and compares it with one scan.
func (m shippedMirror) requireComplete(g *testGroup, what string) {
	g.T.Helper()
	for m.step(g, 7) {
		continue
	}
	require.True(g.T, m.Complete(), what)
	var members, drained []string
	led := 0
	for _, row := range g.rows() {
		switch row.Kind {
		case group.KindConfig:
			config, _ := m.Config()
			require.Equal(g.T, *row.Config, config, what)
		case group.KindMember:
			members = append(members, row.Name)
			require.Equal(g.T, row.Member, m.Member(row.Name), what)
		case group.KindShard:
			led++
			require.NotNil(g.T, m.Shard(row.Name), "%s, %s", row.Name, what)
			require.Equal(g.T, *row.Shard, m.Shard(row.Name).Shard, what)
		case group.KindPin:
			require.Equal(g.T, row.Pin, m.Pin(row.Name), what)
		case group.KindRequest:
			require.Equal(g.T, *row.Request, m.Request(row.Name), what)
		case group.KindDrain:
			drained = append(drained, row.Name)
		}
	}
	require.Equal(g.T, led, m.Len(), what)
	require.Equal(g.T, members, m.MemberIDs(), what)
	require.Equal(g.T, drained, m.DrainedIDs(), what)
	for _, name := range shards {
		row := g.row(group.KindPin, name)
		require.Equal(g.T, row.Pin, m.Pin(name), what)
		if row := g.row(group.KindRequest, name); row.Removed {
			require.Zero(g.T, m.Request(name), what)
		}
	}
}
