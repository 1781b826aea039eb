package electiontest

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/suite"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

// recordRegressionTests are regression tests about stored records.
var recordRegressionTests = []test{
	regressionAClockPastTheLatestInstant,
	regressionACounterOutOfRangeIsRefused,
	regressionTheListAgreesWithTheRankOnEqualStamps,
	regressionResigningNeedsNoReadableCandidateRecord,
	regressionOneBadRankRowHidesNoOther,
	regressionALeaseThatNoConfigAllowsIsRefused,
	regressionRegisteringAgainRepairsTheRank,
}

func regressionAClockPastTheLatestInstant(t *testing.T, e *testElection) {
	e.initialized(byObservation)
	a := e.join("a", 1, at(0))
	far := time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)
	nothing := election.WithObservation(election.Observation{}, far)
	result := e.cycle(a, far, nothing)
	require.Equal(t, election.Claimed, result.Action)
	stands := e.leader()
	require.True(t, stands.LeaseExpiry.After(stands.AcquiredAt))
	require.Equal(t, result.Leader, stands, "the result is the stored record")
	renewed := e.acts(election.Renewed, a, far, nothing)
	require.Equal(t, renewed.Leader, e.leader(), "the same for a renewal")
}

func regressionACounterOutOfRangeIsRefused(t *testing.T, e *testElection) {
	e.initialized()
	a := e.join("a", 1, at(0))
	e.cycle(a, at(0))
	// The heartbeat counter of the candidate is 2^62, the first value that is out of range.
	key, err := e.Subspace().Pack(subspace.Tuple{subspace.String("candidates"), subspace.String("a")})
	require.NoError(t, err)
	c, err := suite.Read(e.Store, func(tr kv.ReadTransaction) (election.Candidate, error) { return e.GetCandidate(tr, "a") })
	require.NoError(t, err)
	v := subspace.AppendInt(nil, 1)
	v = subspace.AppendInt(v, int64(c.Priority))
	v = subspace.AppendInt(v, c.LastHeartbeat.UnixNano())
	v = subspace.AppendUint(v, 1<<62)
	v = subspace.AppendVersionstamp(v, c.Versionstamp)
	v = subspace.AppendUUID(v, c.Incarnation)
	v = subspace.AppendBool(v, true)
	v = subspace.CloseNested(subspace.OpenNested(v))
	e.Do(func(tr kv.Transaction) error { tr.Set(key, v); return nil })
	renewed := e.acts(election.Renewed, a, at(1)) // its leadership does not depend on that record
	require.ErrorIs(t, renewed.Unreadable, fdbelection.ErrInvalidState)
	require.Equal(t, v, e.Raw("candidates", "a"), "it is not overwritten")
}

func regressionTheListAgreesWithTheRankOnEqualStamps(t *testing.T, e *testElection) {
	e.initialized()
	e.Do(func(tr kv.Transaction) error {
		for i := range 50 {
			me := election.Registration{Identity: election.Identity{ID: fmt.Sprintf("c%02d", 49-i), Incarnation: uuid.New()}, Priority: int32(i % 2)}
			if err := e.RegisterCandidate(tr, me, at(0)); err != nil {
				return err
			}
		}
		return nil
	})
	list, err := suite.Read(e.Store, e.ListCandidates)
	require.NoError(t, err)
	ranked, err := suite.Read(e.Store, func(tr kv.ReadTransaction) ([]election.RankEntry, error) { return e.Shortlist(tr, 100) })
	require.NoError(t, err)
	var l, r []string
	for i := range list {
		l, r = append(l, list[i].ID), append(r, ranked[i].ID)
	}
	require.Equal(t, r, l)
}

func regressionResigningNeedsNoReadableCandidateRecord(t *testing.T, e *testElection) {
	e.initialized()
	a := e.join("a", 1, at(0))
	token := e.cycle(a, at(0)).Leader.Token()
	key, err := e.Subspace().Pack(subspace.Tuple{subspace.String("candidates"), subspace.String("a")})
	require.NoError(t, err)
	e.Do(func(tr kv.Transaction) error { tr.Set(key, subspace.AppendInt(nil, 2)); return nil })
	require.NoError(t, e.Try(func(tr kv.Transaction) error { return e.ResignLeadership(tr, token, at(1)) }))
}

func regressionOneBadRankRowHidesNoOther(t *testing.T, e *testElection) {
	e.initialized()
	e.join("a", 1, at(0))
	e.Do(func(tr kv.Transaction) error {
		tr.Set(subspace.AppendString(subspace.AppendString(e.Subspace().Bytes(), "rank"), "junk"), nil)
		return nil
	})
	ranked, _ := suite.Read(e.Store, func(tr kv.ReadTransaction) ([]election.RankEntry, error) { return e.Shortlist(tr, 5) })
	require.NotEmpty(t, ranked)
}

func regressionALeaseThatNoConfigAllowsIsRefused(t *testing.T, e *testElection) {
	e.initialized(func(c *fdbelection.Config) { c.Expiry = fdbelection.ExpiryByObservation })
	key, err := e.Subspace().Pack(subspace.Tuple{subspace.String("leader")})
	require.NoError(t, err)
	v := subspace.AppendInt(nil, 1)
	v = subspace.AppendUint(subspace.AppendUint(v, 7), 3)
	v = subspace.AppendUUID(subspace.AppendString(v, "ghost"), uuid.New())
	v = subspace.AppendInt(subspace.AppendInt(v, 1), at(0).UnixNano())
	v = subspace.AppendInt(v, math.MaxInt64) // a lease of 292 years
	v = subspace.AppendVersionstamp(v, subspace.Versionstamp{})
	v = subspace.AppendBool(subspace.AppendInt(v, at(0).UnixNano()), true)
	v = subspace.AppendInt(subspace.AppendUUID(v, uuid.New()), 0)
	e.Do(func(tr kv.Transaction) error { tr.Set(key, v); return nil })
	_, err = suite.Read(e.Store, e.GetLeaderRaw)
	require.ErrorIs(t, err, fdbelection.ErrInvalidState, "the lease is longer than MaxDuration")
}

func regressionRegisteringAgainRepairsTheRank(t *testing.T, e *testElection) {
	e.initialized()
	me := e.join("me", 1, at(0))
	begin, end := e.Subspace().Sub("rank").Range()
	e.Do(func(tr kv.Transaction) error { tr.ClearRange(begin, end); return nil })
	e.Do(func(tr kv.Transaction) error { return e.RegisterCandidate(tr, me, at(1)) })
	e.cycle(me, at(1))
	ranked, err := suite.Read(e.Store, func(tr kv.ReadTransaction) ([]election.RankEntry, error) { return e.Shortlist(tr, 5) })
	require.NoError(t, err)
	require.Len(t, ranked, 1, "registering again must repair the rank index")
}
