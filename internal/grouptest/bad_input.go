package grouptest

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
)

var badInputTests = []test{
	badNamesAreRefused,
	badMembersAreRefused,
	extremeValuesAreStored,
	extremeClocksDoNotOverflow,
}

func badNamesAreRefused(t *testing.T, g *testGroup) {
	g.initialized("a")
	before := g.Dump()
	for what, name := range map[string]string{
		"is empty":                       "",
		"has 256 bytes; use at most 255": strings.Repeat("x", 256),
		"is not valid UTF-8":             "a\xff",
		"contains a control character":   "a\x1b[2J",
	} {
		m := newMember(name)
		for call, run := range map[string]func(tr kv.Transaction) error{
			"create":   func(tr kv.Transaction) error { _, err := g.CreateShards(tr, []string{"b", name}, at(0)); return err },
			"remove":   func(tr kv.Transaction) error { _, err := g.RemoveShards(tr, []string{"a", name}); return err },
			"raise":    func(tr kv.Transaction) error { _, err := g.RaiseTerms(tr, []string{name}, 1, at(0)); return err },
			"pin":      func(tr kv.Transaction) error { return g.Pin(tr, name, "m") },
			"pin to":   func(tr kv.Transaction) error { return g.Pin(tr, "a", name) },
			"drain":    func(tr kv.Transaction) error { return g.Drain(tr, name) },
			"join":     func(tr kv.Transaction) error { _, _, err := g.Join(tr, group.Joining{Member: m}); return err },
			"update":   func(tr kv.Transaction) error { return g.UpdateMember(tr, m) },
			"validate": func(kv.Transaction) error { return m.Validate() },
		} {
			err := g.Try(run)
			require.ErrorIs(t, err, group.ErrInvalidName, call)
			require.ErrorContains(t, err, what, call)
			require.NotContains(t, err.Error(), "\x1b", call)
		}
		_, err := g.tryShard(name)
		require.ErrorIs(t, err, group.ErrNoShard)
		require.NotContains(t, err.Error(), "\x1b")
	}
	require.Equal(t, before, g.Dump())
	longest := strings.Repeat("ü", 127) + "x"
	g.create(longest)
	m := g.ready(longest)
	require.Equal(t, m.Identity, g.leads(m, longest).Identity)
}

func badMembersAreRefused(t *testing.T, g *testGroup) {
	g.initialized()
	me, _ := g.join("me")
	before := g.Dump()
	for what, edit := range map[string]func(m *group.Member){
		"weight is -1; use 0":       func(m *group.Member) { m.Weight = -1 },
		"weight is 1000001":         func(m *group.Member) { m.Weight = 1_000_001 },
		"capacity is -1; use 0":     func(m *group.Member) { m.Capacity = -1 },
		"capacity is 2147483647":    func(m *group.Member) { m.Capacity = math.MaxInt32 },
		"balance is 0; use":         func(m *group.Member) { m.Balance = 0 },
		"reason for not being":      func(m *group.Member) { m.NotReady = strings.Repeat("x", 256) },
		"is not valid UTF-8":        func(m *group.Member) { m.NotReady = "\xff" },
		"has an empty key":          func(m *group.Member) { m.Tags = map[string]string{"": "x"} },
		`at key "k" is not valid`:   func(m *group.Member) { m.Tags = map[string]string{"k": "\xff"} },
		"has 8193 bytes; use at mo": func(m *group.Member) { m.Tags = map[string]string{"k": strings.Repeat("x", 8192)} },
	} {
		bad := me
		edit(&bad)
		require.ErrorContains(t, g.Try(func(tr kv.Transaction) error { return g.UpdateMember(tr, bad) }), what)
		bad.Incarnation = newNonce()
		_, err := g.tryJoin(group.Joining{Member: bad, Own: []uuid.UUID{me.Incarnation}})
		require.ErrorIs(t, err, fdbelection.ErrInvalidCandidate)
	}
	none := newMember("none")
	none.Incarnation = uuid.Nil
	_, err := g.tryJoin(group.Joining{Member: none})
	require.ErrorContains(t, err, "incarnation of none is zero")
	require.Equal(t, before, g.Dump())
}

func extremeValuesAreStored(t *testing.T, g *testGroup) {
	g.initialized("a")
	m := newMember("m")
	m.Weight, m.Capacity, m.Balance = 1_000_000, 1_000_000, math.MaxInt32
	m.Tags = map[string]string{"k": strings.Repeat("x", election.MaxMetadataBytes-1)}
	m.NotReady = strings.Repeat("x", election.MaxReasonBytes)
	_, err := g.tryJoin(group.Joining{Member: m})
	require.NoError(t, err)
	require.Equal(t, &m, g.row(group.KindMember, "m").Member)
	token := g.leads(m, "a")
	require.NoError(t, g.released(m, group.Release{Token: token, Moves: math.MaxUint32}).Err)
	require.EqualValues(t, int64(math.MaxUint32), g.shard("a").Moves)
	g.leads(m, "a")
}

func extremeClocksDoNotOverflow(t *testing.T, g *testGroup) {
	g.initialized("a")
	for _, year := range []int{-200_000, 1, 1800, 2200, 9999, 200_000} {
		now := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		m := newMember("m")
		m.JoinedAt = now
		_, err := g.tryJoin(group.Joining{Member: m})
		require.NoError(t, err)
		g.Do(func(tr kv.Transaction) error {
			_, err := g.Claim(tr, m.Identity, claims("a"), now)
			return err
		})
		require.Equal(t, m.Identity, g.shard("a").Leader)
		m.NotReady = ""
		g.update(m)
		require.NoError(t, g.row(group.KindMember, "m").Unreadable)
		g.Do(func(tr kv.Transaction) error {
			_, err := g.Release(tr, m.Identity, []group.Release{{Token: g.shardToken("a")}}, now)
			return err
		})
		require.True(t, g.vacant("a"))
		g.leave(m)
	}
}
