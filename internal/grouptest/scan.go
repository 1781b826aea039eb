package grouptest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/suite"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

var scanTests = []test{
	rule10AScanReturnsAllRecordsInOrder,
	rule10PagesOfEveryLengthReturnTheSame,
	rule10APageCoversAllNamesUpToTheNextOne,
	rule10HeartbeatsAreReadByThemselves,
}

// page reads a page of a scan.
func (g *testGroup) page(from group.Position, limit int) group.Page {
	g.T.Helper()
	page, err := suite.Read(g.Store, func(tr kv.ReadTransaction) (group.Page, error) { return g.ScanPage(tr, from, limit) })
	require.NoError(g.T, err)
	return page
}

// populated creates records of all kinds.
func (g *testGroup) populated() *testGroup {
	g.T.Helper()
	g.initialized("a", "a b", "ab", "b", "ü")
	me := g.ready("me")
	g.ready("m")
	g.leads(me, "a b")
	g.leads(me, "b")
	g.Do(func(tr kv.Transaction) error {
		for _, name := range []string{"a", "ab", "ü"} {
			if err := g.Pin(tr, name, "me"); err != nil {
				return err
			}
		}
		if err := g.Drain(tr, "absent"); err != nil {
			return err
		}
		return g.RequestResign(tr, "b", 1, newNonce())
	})
	g.removed("a b")
	return g
}

// named returns the kinds and names of rows.
func named(rows []group.Row) []string {
	names := make([]string, len(rows))
	for i, row := range rows {
		names[i] = fmt.Sprintf("%s %s", row.Kind, row.Name)
	}
	return names
}

func rule10AScanReturnsAllRecordsInOrder(t *testing.T, g *testGroup) {
	g.populated()
	rows := g.rows()
	require.Equal(t, []string{
		"config ", "members m", "members me", "shards a", "shards a b", "shards ab", "shards b", "shards ü",
		"pins a", "pins ab", "pins ü", "requests a b", "requests b", "drains absent",
	}, named(rows))
	for _, row := range rows {
		require.NoError(t, row.Unreadable)
		require.False(t, row.Removed)
	}
	require.EqualValues(t, 1, rows[0].Config.Revision)
	require.Equal(t, "m", rows[1].Member.ID)
	require.Equal(t, g.shard("a b"), *rows[4].Shard)
	require.Equal(t, "me", rows[8].Pin)
	require.Equal(t, group.RemoveRequest, rows[11].Request.Kind)
	require.Equal(t, group.ResignRequest, rows[12].Request.Kind)
}

func rule10PagesOfEveryLengthReturnTheSame(t *testing.T, g *testGroup) {
	g.populated()
	for _, foreign := range []bool{false, true} {
		if foreign {
			g.foreign()
		}
		all := g.rows()
		require.Len(t, all, 14)
		for limit := -1; limit <= 40; limit++ {
			var rows []group.Row
			pages := 0
			for from := (group.Position{}); pages == 0 || from.Kind != 0; pages++ {
				require.Less(t, pages, 400, "the scan does not end")
				page := g.page(from, limit)
				require.LessOrEqual(t, len(page.Rows), max(limit, 1))
				require.Positive(t, page.Version)
				rows, from = append(rows, page.Rows...), page.Next
			}
			require.Equal(t, all, rows, "with a limit of %d", limit)
			if foreign && limit == 1 {
				require.Greater(t, pages, 5*13, "keys of others count, so that no page takes long")
			}
		}
	}
}

// covers reports whether a page of a scan says all about a record.
func covers(pages []group.Page, i int, kind group.Kind, name string) bool {
	before := i > 0 && pages[i-1].Next.Passed(kind, name)
	return !before && (pages[i].Next.Kind == 0 || pages[i].Next.Passed(kind, name))
}

// Each record is covered by exactly one page, whether it exists or not: so a change of it is
// either in that page or in the log after its version.
func rule10APageCoversAllNamesUpToTheNextOne(t *testing.T, g *testGroup) {
	g.populated()
	g.foreign()
	names := []string{"", "!", "a", "a b", "aa", "ab", "b", "b b", "m", "me", "ü", "üü", "absent", "\U0010ffff"}
	for limit := 1; limit <= 40; limit++ {
		var pages []group.Page
		for from := (group.Position{}); len(pages) == 0 || from.Kind != 0; {
			page := g.page(from, limit)
			pages, from = append(pages, page), page.Next
		}
		at := func(kind group.Kind, name string) int {
			found := -1
			for i := range pages {
				if covers(pages, i, kind, name) {
					require.Negative(t, found, "two pages cover %s %q with a limit of %d", kind, name, limit)
					found = i
				}
			}
			require.GreaterOrEqual(t, found, 0, "no page covers %s %q with a limit of %d", kind, name, limit)
			return found
		}
		for kind := group.KindConfig; kind <= group.KindDrain; kind++ {
			for _, name := range names {
				has := func(row group.Row) bool { return row.Kind == kind && row.Name == name }
				in := slices.IndexFunc(pages, func(p group.Page) bool { return slices.ContainsFunc(p.Rows, has) })
				if got := at(kind, name); in >= 0 {
					require.Equal(t, in, got, "%s %q with a limit of %d", kind, name, limit)
				}
			}
		}
	}
}

func rule10HeartbeatsAreReadByThemselves(t *testing.T, g *testGroup) {
	g.initialized()
	me, _ := g.join("me")
	g.join("you")
	g.beats(me)
	g.foreign()
	g.damage("beats", "broken")
	read := func(ids ...string) []group.Beat {
		beats, err := suite.Read(g.Store, func(tr kv.ReadTransaction) ([]group.Beat, error) { return g.ReadBeats(tr, ids...) })
		require.NoError(t, err)
		return beats
	}
	all := read()
	require.Len(t, all, 3)
	require.Equal(t, []string{"broken", "me", "you"}, []string{all[0].ID, all[1].ID, all[2].ID})
	require.Equal(t, "damaged", all[0].Value)
	require.Zero(t, all[0].Lease)
	require.EqualValues(t, 2, all[1].Counter)
	require.Equal(t, all[2:], read("absent", "you"))
	require.Equal(t, []group.Beat{all[2], all[0]}, read("you", "broken"))
	// A heartbeat without a lease would never end.
	none := subspace.AppendUint(subspace.AppendUUID(subspace.AppendInt(nil, 1), me.Incarnation), 7)
	none = subspace.AppendInt(subspace.AppendInt(none, 0), 0)
	g.Spoil(none, "beats", "me")
	require.Equal(t, group.Beat{Identity: election.Identity{ID: "me"}, Value: string(none)}, g.beat("me"))
	_, err := g.tryHeartbeat(me, 0)
	require.ErrorIs(t, err, group.ErrSessionEnded)
}
