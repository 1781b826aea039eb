package grouptest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/suite"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// nestedTests have groups and elections in subspaces of one another.
var nestedTests = []test{
	nestedAnElectionAndAGroupOfOneSubspace,
	nestedGroupsBelowEveryRecordDoNotDisturbEachOther,
	nestedGroupsAndElectionsThatWouldShareKeysRefuseEachOther,
	nestedRecordsWithTheNamesOfConfigs,
	nestedGroupsThatAreCreatedAtTheSameTimeConflict,
}

// children are the names of the records that exist once for each name.
var children = []string{"members", "beats", "shards", "pins", "requests", "drains"}

// creators create a group or an election.
var creators = map[string]func(s *suite.Store, tr kv.Transaction) error{
	"group": func(s *suite.Store, tr kv.Transaction) error {
		_, err := group.New(s.Space).Initialize(tr, group.DefaultConfig())
		return err
	},
	"election": func(s *suite.Store, tr kv.Transaction) error {
		_, err := election.New(s.Space).Initialize(tr)
		return err
	},
}

func created(s *suite.Store, what string) error {
	return s.Try(func(tr kv.Transaction) error { return creators[what](s, tr) })
}

func nestedAnElectionAndAGroupOfOneSubspace(t *testing.T, g *testGroup) {
	for _, order := range [][]string{{"election", "group"}, {"group", "election"}} {
		g := newTestGroup(t, g.Engine)
		for _, what := range order {
			require.NoError(t, created(g.Store, what))
		}
		e := election.New(g.Space)
		me := election.Registration{Identity: election.Identity{ID: "group", Incarnation: newNonce()}}
		var leader election.Token
		g.Do(func(tr kv.Transaction) error { return e.RegisterCandidate(tr, me, at(0)) })
		g.Do(func(tr kv.Transaction) error {
			result, err := e.RunElectionCycle(tr, me, at(0))
			leader = result.Leader.Token()
			return err
		})
		g.create("leader", "config")
		m := g.ready("config")
		token := g.leads(m, "leader")
		g.removed("config")
		g.trim(g.now())
		require.NoError(t, g.fenced(token))
		g.Do(func(tr kv.Transaction) error {
			g.work(tr)
			return e.RequireLeadership(tr, leader)
		})
		candidates, err := suite.Read(g.Store, e.ListCandidates)
		require.NoError(t, err)
		require.Len(t, candidates, 1)
		require.Equal(t, []string{"config ", "members config", "shards leader"}, named(g.rows()))
		g.Do(func(tr kv.Transaction) error { return e.ResignLeadership(tr, leader, at(1)) })
		g.leave(m)
		require.Equal(t, []string{"config ", "shards leader"}, named(g.rows()))
	}
}

func nestedGroupsBelowEveryRecordDoNotDisturbEachOther(t *testing.T, g *testGroup) {
	g.initialized("a")
	groups := []*testGroup{g}
	zero := subspace.String("a\x00b")
	for _, child := range append([]string{"group", "floor", "bell", "trimmed", "log"}, children...) {
		name := subspace.String(child)
		groups = append(groups, groupOn(g.Below(name, subspace.String("a"))).initialized("a"), groupOn(g.Below(name, zero)).initialized("a"))
	}
	for _, child := range []string{"group", "floor", "bell", "trimmed", "log"} {
		groups = append(groups, groupOn(g.Below(subspace.String(child))).initialized("a"))
	}
	groups = append(groups, groupOn(g.Below(zero)).initialized("a"))
	for _, g := range groups {
		me, dead := g.ready("me"), g.ready("dead")
		g.leads(dead, "a")
		g.evict(me, "dead")
		token := g.leads(me, "a")
		g.create("b")
		g.Do(func(tr kv.Transaction) error {
			if err := g.Drain(tr, "x"); err != nil {
				return err
			}
			return g.Pin(tr, "a", "me")
		})
		require.NoError(t, g.resign("a", 2, newNonce()))
		g.removed("b")
		g.trim(g.now() - 1)
		require.NoError(t, g.fenced(token))
	}
	for i, g := range groups {
		require.Equal(t, []string{"config ", "members me", "shards a", "pins a", "requests a", "drains x"}, named(g.rows()), "group %d", i)
		require.EqualValues(t, 2, g.shard("a").Term)
		beats, err := suite.Read(g.Store, func(tr kv.ReadTransaction) ([]group.Beat, error) { return g.ReadBeats(tr) })
		require.NoError(t, err)
		require.Len(t, beats, 1)
		for _, c := range g.changes(0, 0).Changes {
			require.NoError(t, c.Unreadable)
		}
	}
}

func nestedGroupsAndElectionsThatWouldShareKeysRefuseEachOther(t *testing.T, g *testGroup) {
	shares := func(child, outer string) bool { return (outer == "election") == (child == "candidates") }
	for _, child := range append([]string{"candidates", "log", "leader"}, children...) {
		for outer := range creators {
			if child == "log" || child == "leader" || !shares(child, outer) {
				continue
			}
			for inner := range creators {
				inside := newTestGroup(t, g.Engine).Store
				below := inside.Below(subspace.String(child))
				require.NoError(t, created(inside, outer))
				before := inside.Dump()
				require.ErrorIs(t, created(below, inner), fdbelection.ErrSharedKeys, "%s below %s of %s", inner, child, outer)
				require.Equal(t, before, inside.Dump())
				require.NoError(t, created(inside, outer), "it exists already")

				around := newTestGroup(t, g.Engine).Store
				below = around.Below(subspace.String(child))
				require.NoError(t, created(below, inner))
				require.ErrorIs(t, created(around, outer), fdbelection.ErrSharedKeys, "%s around %s of %s", outer, child, inner)
				require.NoError(t, created(below, inner))
			}
		}
	}
	// The children of one are of no concern to the other, and neither are other names.
	for child, outer := range map[string]string{"candidates": "group", "members": "election", "log": "group", "leader": "election"} {
		for inner := range creators {
			s := newTestGroup(t, g.Engine).Store
			require.NoError(t, created(s, outer))
			require.NoError(t, created(s.Below(subspace.String(child)), inner))
			s = newTestGroup(t, g.Engine).Store
			require.NoError(t, created(s.Below(subspace.String(child)), inner))
			require.NoError(t, created(s, outer))
		}
	}
}

// Members, shards and candidates may have the names of configs, if there is no group and no
// election below them.
func nestedRecordsWithTheNamesOfConfigs(t *testing.T, g *testGroup) {
	g.initialized("group", "config")
	for _, id := range []string{"group", "config"} {
		m := g.ready(id)
		g.leads(m, id)
		require.NoError(t, g.resign(id, 1, newNonce()))
		g.Do(func(tr kv.Transaction) error {
			if err := g.Drain(tr, id); err != nil {
				return err
			}
			return g.Pin(tr, id, id)
		})
	}
	// A group whose config was lost is not refused because of them.
	rows := g.Dump()
	g.Remove("group")
	require.NoError(t, created(g.Store, "group"))
	require.NoError(t, created(g.Store, "election"))
	g.Do(func(tr kv.Transaction) error {
		for i, id := range []string{"group", "config"} {
			me := election.Registration{Identity: election.Identity{ID: id}, UserVersion: uint16(i)}
			if err := election.New(g.Space).RegisterCandidate(tr, me, at(0)); err != nil {
				return err
			}
		}
		return nil
	})
	g.Remove("config")
	require.NoError(t, created(g.Store, "election"))
	for _, child := range append([]string{"candidates"}, children...) {
		for what := range creators {
			require.ErrorIs(t, created(g.Below(subspace.String(child)), what), fdbelection.ErrInvalidState,
				"its config has the key of a record of %s", child)
		}
	}
	g.Restore(rows)
	require.Len(t, g.rows(), 1+2+2+2+2+2)
}

func nestedGroupsThatAreCreatedAtTheSameTimeConflict(t *testing.T, g *testGroup) {
	for _, child := range append([]string{"candidates"}, children...) {
		outer := "group"
		if child == "candidates" {
			outer = "election"
		}
		for inner := range creators {
			s := newTestGroup(t, g.Engine).Store
			below := s.Below(subspace.String(child))
			one, two := s.Begin(), s.Begin()
			require.NoError(t, creators[outer](s, one))
			require.NoError(t, creators[inner](below, two))
			require.NoError(t, one.Commit())
			s.RequireConflict(two)
			require.ErrorIs(t, created(below, inner), fdbelection.ErrSharedKeys)
		}
	}
}
