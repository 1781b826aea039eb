package electiontest

import (
	"context"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/suite"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// nestedTests have elections in a subspace of another election.
var nestedTests = []test{
	nestedElectionsBelowEveryRecordDoNotDisturbEachOther,
	nestedElectionsThatWouldShareKeysRefuseEachOther,
}

// below returns an election in a subspace of this one.
func (e *testElection) below(path ...subspace.Element) *testElection {
	e.T.Helper()
	store := e.Below(path...)
	return &testElection{Store: store, LeaderElection: election.New(store.Space), now: epoch}
}

func nestedElectionsBelowEveryRecordDoNotDisturbEachOther(t *testing.T, e *testElection) {
	few := func(c *fdbelection.Config) { c.HistoryLimit = 3 }
	e.initialized(few)
	zero := subspace.String("a\x00b")
	var inner []*testElection
	for _, path := range []subspace.Tuple{
		{subspace.String("config")},
		{subspace.String("leader")},
		{subspace.String("term")},
		{subspace.String("intent")},
		{subspace.String("rank")},
		{subspace.String("history")},
		{subspace.String("history"), subspace.Int(1)},
		{subspace.String("history"), subspace.Int(2), subspace.Int(0)},
		{subspace.String("rank"), subspace.Int(-5)},
		{subspace.String("notice")},
		{subspace.String("notice"), subspace.Int(0)},
		{subspace.String("candidates"), zero},
		{subspace.String("candidates"), subspace.String("b")},
		{zero},
		{subspace.String("history"), zero},
	} {
		inner = append(inner, e.below(path...).initialized(few))
	}
	for _, e := range append([]*testElection{e}, inner...) {
		a, token := e.leads("a", 1, at(0))
		for range 8 { // so that the history is trimmed
			e.Do(func(tr kv.Transaction) error { return e.ResignLeadership(tr, token, at(1)) })
			token = e.acts(election.Claimed, a, at(1)).Leader.Token()
		}
		e.configure(func(c *fdbelection.Config) { c.HistoryLimit = 2 })
		e.join("old", 1, at(-100))
		require.Equal(t, []string{"old"}, e.evict(14))
		_, err := e.raise(100, 2)
		require.NoError(t, err)
		e.acts(election.Claimed, a, at(3))
		require.Empty(t, e.repair(4))
	}
	for i, e := range append([]*testElection{e}, inner...) {
		require.Equal(t, []string{"a"}, e.ids(), i)
		require.EqualValues(t, 101, e.leader().Term, i)
		require.Len(t, e.events(), 2, "of election %d: %v", i, e.events())
		ranked, err := suite.Read(e.Store, func(tr kv.ReadTransaction) ([]election.RankEntry, error) { return e.Shortlist(tr, 20) })
		require.NoError(t, err)
		require.Len(t, ranked, 1, i)
	}
}

func nestedElectionsThatWouldShareKeysRefuseEachOther(t *testing.T, e *testElection) {
	candidates := subspace.String("candidates")
	initialize := func(e *testElection) error {
		return e.Try(func(tr kv.Transaction) error { _, err := e.Initialize(tr); return err })
	}
	require.NoError(t, initialize(e))
	require.ErrorIs(t, initialize(e.below(candidates)), fdbelection.ErrSharedKeys)
	require.NoError(t, initialize(e), "the outer election exists already")

	other := newTestElection(t, e.Engine)
	require.NoError(t, initialize(other.below(candidates)))
	require.ErrorIs(t, initialize(other), fdbelection.ErrSharedKeys)
	require.NoError(t, initialize(other.below(candidates)))

	// Candidates may have the ids of election keys if there is no election below them.
	e.Do(func(tr kv.Transaction) error {
		for i, id := range []string{"config", "leader", "term", "intent", "candidates"} {
			me := election.Registration{Identity: election.Identity{ID: id, Incarnation: uuid.New()}, UserVersion: uint16(i)}
			if err := e.RegisterCandidate(tr, me, at(0)); err != nil {
				return err
			}
		}
		return nil
	})
	require.Len(t, e.ids(), 5)
	before := e.Dump()
	require.Error(t, initialize(e.below(candidates)))
	require.Equal(t, before, e.Dump())

	// If two are created at the same time, one of them conflicts.
	third := newTestElection(t, e.Engine)
	first, err := third.DB.CreateTransaction(context.Background())
	require.NoError(t, err)
	defer first.Cancel()
	_, err = third.Initialize(first)
	require.NoError(t, err)
	require.NoError(t, initialize(third.below(candidates)))
	require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(first.Commit()))
}
