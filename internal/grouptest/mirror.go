package grouptest

import (
	"fmt"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/longtest"
	"github.com/fdbelection/fdbelection/internal/testseed"
)

var mirrorTests = []test{
	rule10AMirrorOfPagesAndTheLogEqualsAScan,
	rule10AMirrorThatMissesNothingIsChecked,
}

// follower is what a process knows of all records: first the pages of a scan, then the log.
type follower struct {
	limit   int
	pages   []group.Page
	done    bool // the scan
	version int64
	rows    map[string]string
	scans   int
}

func newFollower(limit int) *follower { return &follower{limit: limit, rows: map[string]string{}} }

func keyOf(row *group.Row) string { return fmt.Sprintf("%s %s", row.Kind, row.Name) }

// text returns all that a row says.
func text(row group.Row) string {
	switch {
	case row.Unreadable != nil:
		return "unreadable"
	case row.Config != nil:
		return fmt.Sprintf("%+v", *row.Config)
	case row.Member != nil:
		return fmt.Sprintf("%+v", *row.Member)
	case row.Shard != nil:
		return fmt.Sprintf("%+v", *row.Shard)
	case row.Request != nil:
		return fmt.Sprintf("%+v", *row.Request)
	default:
		return "to " + row.Pin
	}
}

func (m *follower) apply(row group.Row) {
	if row.Removed {
		delete(m.rows, keyOf(&row))
		return
	}
	m.rows[keyOf(&row)] = text(row)
}

// step reads the next page, or the next part of the log.
func (m *follower) step(g *testGroup) (more bool) {
	if !m.done {
		var from group.Position
		if n := len(m.pages); n > 0 {
			from = m.pages[n-1].Next
		}
		page := g.page(from, m.limit)
		for _, row := range page.Rows {
			m.apply(row)
		}
		m.pages = append(m.pages, page)
		if page.Next.Kind == 0 {
			m.done, m.version = true, m.pages[0].Version
		}
		return true
	}
	changes := g.changes(m.version, m.limit)
	if changes.Trimmed {
		*m = follower{limit: m.limit, rows: map[string]string{}, scans: m.scans + 1}
		return true
	}
	for _, c := range changes.Changes {
		for i := range m.pages {
			if covers(m.pages, i, c.Kind, c.Name) && c.Version() > m.pages[i].Version {
				m.apply(c.Row)
			}
		}
	}
	m.version = changes.Version
	return changes.More
}

// requireComplete lets a mirror read the rest, and compares it with one scan.
func (m *follower) requireComplete(g *testGroup, what string) {
	g.T.Helper()
	for m.step(g) {
		continue
	}
	want := map[string]string{}
	for _, row := range g.rows() {
		want[keyOf(&row)] = text(row)
	}
	require.Equal(g.T, want, m.rows, "a mirror with parts of %d, %s", m.limit, what)
}

// Mirrors with pages of several lengths follow a group while random acts change it. At any time,
// each of them would be equal to a fresh scan, if it read the rest.
func rule10AMirrorOfPagesAndTheLogEqualsAScan(t *testing.T, g *testGroup) {
	acting := newActing(g, testseed.Random(t))
	random := acting.random
	var mirrors []*follower
	for _, limit := range []int{1, 2, 3, 7, 1000} {
		mirrors = append(mirrors, newFollower(limit))
	}
	shipped := newShipped()
	acts := longtest.Pick(400, 4000)
	for i := 0; i < acts || !acting.varied(); i++ {
		require.Less(t, i, 100*acts, "some acts never take place: %v", acting.done)
		acting.act()
		for _, m := range mirrors {
			for random.IntN(3) == 0 {
				m.step(g)
			}
		}
		for random.IntN(3) == 0 {
			shipped.step(g, 1+random.IntN(9))
		}
		switch random.IntN(40) {
		case 3:
			shipped.requireComplete(g, fmt.Sprintf("after act %d", i))
		case 0, 1: // another process starts, or one compares what it has
			at := random.IntN(len(mirrors))
			mirrors[at].requireComplete(g, fmt.Sprintf("after act %d", i))
			if random.IntN(2) == 0 {
				mirrors[at] = newFollower(1 + random.IntN(8))
			}
		case 2:
			g.trim(g.now() - int64(random.IntN(int(g.now()-acting.start)+1)))
		}
	}
	shipped.requireComplete(g, "at the end")
	for _, m := range mirrors {
		m.requireComplete(g, "at the end")
		g.create("late")
		g.removed("late")
		g.trim(g.now())
		scans := m.scans
		m.requireComplete(g, "after a trimming")
		require.Equal(t, scans+1, m.scans, "a mirror that has missed entries begins again")
	}
}

// A change that is not in the log is found, so the test above can fail.
func rule10AMirrorThatMissesNothingIsChecked(t *testing.T, g *testGroup) {
	g.initialized("a")
	m := newFollower(2)
	for m.step(g) {
		continue
	}
	before := maps.Clone(m.rows)
	g.Remove("shards", "a")
	require.False(t, m.step(g))
	require.Equal(t, before, m.rows)
	require.Len(t, g.rows(), len(m.rows)-1)
}
