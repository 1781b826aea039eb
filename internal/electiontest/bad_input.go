package electiontest

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/suite"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

var badInputTests = []test{
	rule10BadCandidatesAreRefused,
	rule10BadConfigsAreRefusedWithAllFaults,
	rule10OneBadCandidateDoesNotHideTheOthers,
	recordsElementsOfALaterVersionAreIgnored,
	recordsExtremeClocksDoNotOverflow,
}

func rule10BadCandidatesAreRefused(t *testing.T, e *testElection) {
	e.initialized()
	withMetadata := func(key, value string) election.Registration {
		me := newProcess("a", 1)
		me.Metadata = map[string]string{key: value}
		return me
	}
	role := newProcess("a", 1)
	role.Role = 7
	for what, me := range map[string]election.Registration{
		"is empty":                         newProcess("", 1),
		"has 256 bytes; use at most 255":   newProcess(strings.Repeat("x", 256), 1),
		"is not valid UTF-8":               newProcess("a\xff", 1),
		"contains a control character":     newProcess("a\x1b[2J", 1),
		"has an empty key":                 withMetadata("", "x"),
		`at key "k" is not valid UTF-8`:    withMetadata("k", "\xff"),
		"has 8193 bytes; use at most 8192": withMetadata("k", strings.Repeat("x", 8192)),
		"use Voter or Observer":            role,
	} {
		for _, call := range []func(tr kv.Transaction) error{
			func(tr kv.Transaction) error { return e.RegisterCandidate(tr, me, at(0)) },
			func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, me, at(0)) },
			func(tr kv.Transaction) error { _, err := e.RunElectionCycle(tr, me, at(0)); return err },
		} {
			err := e.Try(call)
			require.ErrorIs(t, err, fdbelection.ErrInvalidCandidate)
			require.ErrorContains(t, err, what)
			require.NotContains(t, err.Error(), "\x1b")
		}
	}
	require.Empty(t, e.ids())
	longest := newProcess(strings.Repeat("ü", 127)+"x", math.MinInt32)
	longest.Metadata = map[string]string{"k": strings.Repeat("x", election.MaxMetadataBytes-1)}
	e.register(longest, at(0))
	lowest := e.candidate(longest.ID)
	require.Equal(t, longest, lowest.Registration)
	e.join("top", math.MaxInt32, at(0))
	require.Equal(t, []string{"top", longest.ID}, e.shortlist(9))
}

func rule10BadConfigsAreRefusedWithAllFaults(t *testing.T, e *testElection) {
	e.initialized()
	bad := fdbelection.DefaultConfig()
	bad.HeartbeatInterval, bad.MinimumTenure, bad.HistoryLimit = bad.LeaseDuration, -1, -1
	_, err := e.writeConfig(bad)
	var invalid *fdbelection.InvalidConfigError
	require.ErrorAs(t, err, &invalid)
	require.Len(t, invalid.Faults, 3)
	err = e.Try(func(tr kv.Transaction) error { _, err := e.InitializeWithConfig(tr, bad); return err })
	require.ErrorIs(t, err, fdbelection.ErrInvalidConfig)
}

func rule10OneBadCandidateDoesNotHideTheOthers(t *testing.T, e *testElection) {
	e.initialized()
	e.join("good", 1, at(0))
	e.Spoil([]byte("rubbish"), "candidates", "bad")
	e.Spoil([]byte("rubbish"), "candidates", "too", "deep")
	candidates, err := suite.Read(e.Store, e.ListCandidates)
	require.Len(t, candidates, 1)
	require.ErrorIs(t, err, fdbelection.ErrInvalidState)
	var joined interface{ Unwrap() []error }
	require.ErrorAs(t, err, &joined)
	require.Len(t, joined.Unwrap(), 1, "the longer key does not belong to this election")
	_, err = suite.Read(e.Store, func(tr kv.ReadTransaction) (election.Candidate, error) { return e.GetCandidate(tr, "bad") })
	require.ErrorIs(t, err, fdbelection.ErrInvalidState)
	require.Equal(t, []string{"good"}, e.evict(100), "an unreadable candidate is not evicted")
}

func recordsElementsOfALaterVersionAreIgnored(t *testing.T, e *testElection) {
	e.initialized(withGrace)
	a, token := e.leads("a", 1, at(0))
	b := e.join("b", 2, at(0))
	e.acts(election.RequestedPreemption, b, at(1))
	e.Do(func(tr kv.Transaction) error {
		begin, end := e.Subspace().Range()
		rows, err := tr.GetRange(begin, end, kv.RangeOptions{}).Get()
		for _, row := range rows {
			if len(row.Value) > 0 {
				tr.Set(row.Key, subspace.AppendString(append([]byte(nil), row.Value...), "from the future"))
			}
		}
		return err
	})
	require.NoError(t, e.fenced(token))
	require.Equal(t, election.PreemptionRequest, e.acts(election.Renewed, a, at(2)).Request.Kind)
	require.Equal(t, []string{"b", "a"}, e.ids())
	require.Len(t, e.events(), 1)
}

func recordsExtremeClocksDoNotOverflow(t *testing.T, e *testElection) {
	e.initialized()
	a := e.join("a", 1, at(0))
	for _, year := range []int{-200_000, 1, 1800, 2200, 9999, 200_000} {
		now := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		result := e.acts(election.Claimed, a, now)
		require.Equal(t, result.Leader, e.leader())
		require.True(t, result.Leader.LeaseExpiry.After(result.Leader.AcquiredAt))
		require.NoError(t, e.Try(func(tr kv.Transaction) error { return e.ResignLeadership(tr, result.Leader.Token(), now) }))
	}
}
