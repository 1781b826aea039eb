package electiontest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

var fenceTests = []test{
	rule13TheFenceComparesAllOfTheToken,
	rule13WorkHeldAcrossAChangeOfTenureIsRefused,
	rule13TheFenceNeedsNoClock,
}

func rule13TheFenceComparesAllOfTheToken(t *testing.T, e *testElection) {
	e.initialized()
	_, token := e.leads("a", 1, at(0))
	require.NoError(t, e.fenced(token))
	wrong := []election.Token{token, token, token, token}
	wrong[0].Term++
	wrong[1].Nonce = newNonce()
	wrong[2].Incarnation = newNonce()
	wrong[3].ID = "b"
	for _, token := range append(wrong, election.Token{}) {
		require.ErrorIs(t, e.fenced(token), fdbelection.ErrFenced, token.String())
	}
}

func rule13WorkHeldAcrossAChangeOfTenureIsRefused(t *testing.T, e *testElection) {
	e.initialized()
	changes := map[string]func(a, b election.Registration, token election.Token){
		"resignation": func(_, _ election.Registration, token election.Token) {
			require.NoError(t, e.resign(token, 1))
		},
		"transfer": func(_, _ election.Registration, token election.Token) {
			_, err := e.transfer(token, "b", newNonce(), 1)
			require.NoError(t, err)
		},
		"claim": func(_, b election.Registration, _ election.Token) { e.acts(election.Claimed, b, at(10)) },
		"leaving": func(a, _ election.Registration, _ election.Token) {
			e.Do(func(tr kv.Transaction) error { return e.UnregisterCandidate(tr, a.Identity, at(1)) })
		},
		"reclaim": func(a, _ election.Registration, _ election.Token) { e.acts(election.Claimed, a, at(10)) },
	}
	for name, change := range changes {
		b := e.join("b", 1, at(0))
		a, token := e.leads("a", 1, at(0))
		work := e.Begin()
		require.NoError(t, e.RequireLeadership(work, token))
		work.Set(append(e.Subspace().Bytes(), "application"...), []byte("stale work"))
		change(a, b, token)
		require.Equal(t, kv.CodeNotCommitted, kv.CodeOf(work.Commit()), "fenced work must not commit after: %s", name)
		require.ErrorIs(t, e.fenced(token), fdbelection.ErrFenced, name)
		leader := e.leader()
		if !leader.Vacant() { // the next round begins with a vacancy
			require.NoError(t, e.resign(leader.Token(), 20))
		}
	}
}

func rule13TheFenceNeedsNoClock(t *testing.T, e *testElection) {
	e.initialized()
	_, token := e.leads("a", 1, at(0))
	b := e.join("b", 1, at(0))
	_, leads, err := func() (election.LeaderRecord, bool, error) {
		tr := e.Begin()
		return e.GetLeader(tr, at(60))
	}()
	require.NoError(t, err)
	require.False(t, leads)
	require.NoError(t, e.fenced(token), "another candidate has not claimed yet")
	e.acts(election.Claimed, b, at(60))
	require.ErrorIs(t, e.fenced(token), fdbelection.ErrFenced)
}
