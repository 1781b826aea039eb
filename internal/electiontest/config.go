package electiontest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

var disabledTests = []test{
	rule09DisabledRefusesClaimsAndRenewals,
	rule09DisabledLetsHeartbeatsAndResignationsThrough,
}

var configTests = []test{
	rule11InitialisingAgainChangesNothing,
	rule11AConfigIsComparedAndSetOnItsRevision,
	rule07AConfigWriteKnowsItsOwnSuccess,
	rule05ConcurrentConfigWritesConflict,
	rule10NothingWorksBeforeInitialising,
}

func disabled(c *fdbelection.Config) { c.ElectionEnabled = false }

func enabled(c *fdbelection.Config) { c.ElectionEnabled = true }

func rule09DisabledRefusesClaimsAndRenewals(t *testing.T, e *testElection) {
	e.initialized()
	a, token := e.leads("a", 1, at(0))
	b := e.join("b", 2, at(0))
	e.configure(disabled)
	before := e.leader()
	e.acts(election.Draining, a, at(3))
	_, err := e.refresh(token, 3)
	require.ErrorIs(t, err, fdbelection.ErrElectionDisabled)
	e.acts(election.Followed, b, at(3)) // it does not preempt
	e.acts(election.Followed, b, at(30))
	_, err = e.tryClaim(b, 30)
	require.ErrorIs(t, err, fdbelection.ErrElectionDisabled)
	e.acts(election.Followed, a, at(30)) // its lease has expired, and it may not claim
	require.Equal(t, before, e.leader())
	e.configure(enabled)
	e.acts(election.Claimed, b, at(31))
}

func (e *testElection) tryClaim(me election.Registration, now float64) (result election.CycleResult, err error) {
	err = e.Try(func(tr kv.Transaction) (err error) {
		result, err = e.TryClaimLeadership(tr, me.Identity, at(now))
		return err
	})
	return result, err
}

func rule09DisabledLetsHeartbeatsAndResignationsThrough(t *testing.T, e *testElection) {
	e.initialized()
	_, token := e.leads("a", 1, at(0))
	b := e.join("b", 2, at(0))
	e.configure(disabled)
	e.cycle(b, at(3))
	e.Do(func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, b, at(6)) })
	require.EqualValues(t, 3, e.candidate("b").Heartbeats)
	left, err := e.transfer(token, "b", newNonce(), 7) // a resignation, since the election is disabled
	require.NoError(t, err)
	require.True(t, left.Vacant())
	require.NoError(t, e.resign(token, 8))
	require.True(t, e.leader().Vacant())
}

func rule11InitialisingAgainChangesNothing(t *testing.T, e *testElection) {
	first := fdbelection.ConfigWithLease(20 * time.Second)
	for _, config := range []fdbelection.Config{first, fdbelection.DefaultConfig()} {
		e.Do(func(tr kv.Transaction) error {
			stands, err := e.InitializeWithConfig(tr, config)
			require.True(t, stands.SameSettings(first))
			require.EqualValues(t, 1, stands.Revision)
			return err
		})
	}
	e.Do(func(tr kv.Transaction) error {
		stands, err := e.Initialize(tr)
		require.True(t, stands.SameSettings(first))
		return err
	})
}

func (e *testElection) writeConfig(config fdbelection.Config) (stands fdbelection.Config, err error) {
	err = e.Try(func(tr kv.Transaction) (err error) {
		stands, err = e.WriteConfig(tr, config)
		return err
	})
	return stands, err
}

func rule11AConfigIsComparedAndSetOnItsRevision(t *testing.T, e *testElection) {
	e.initialized()
	mine := fdbelection.ConfigWithLease(20 * time.Second)
	mine.Revision = 1
	stands, err := e.writeConfig(mine)
	require.NoError(t, err)
	require.EqualValues(t, 2, stands.Revision)
	theirs := fdbelection.ConfigWithLease(30 * time.Second)
	theirs.Revision = 1
	_, err = e.writeConfig(theirs)
	require.ErrorIs(t, err, fdbelection.ErrConfigChanged)
	theirs.Revision = 0
	stands, err = e.writeConfig(theirs)
	require.NoError(t, err)
	require.EqualValues(t, 3, stands.Revision)
	require.Equal(t, 30*time.Second, stands.LeaseDuration)
}

func rule07AConfigWriteKnowsItsOwnSuccess(t *testing.T, e *testElection) {
	e.initialized()
	mine := fdbelection.ConfigWithLease(20 * time.Second)
	mine.Revision, mine.Nonce = 1, newNonce()
	for range 2 {
		stands, err := e.writeConfig(mine)
		require.NoError(t, err)
		require.EqualValues(t, 2, stands.Revision)
	}
	same := mine
	same.Nonce = newNonce() // another operator who writes the same settings gets an error
	_, err := e.writeConfig(same)
	require.ErrorIs(t, err, fdbelection.ErrConfigChanged)
	unconditional := fdbelection.ConfigWithLease(40 * time.Second)
	for range 2 {
		stands, err := e.writeConfig(unconditional)
		require.NoError(t, err)
		require.EqualValues(t, 3, stands.Revision)
	}
}

func rule05ConcurrentConfigWritesConflict(t *testing.T, e *testElection) {
	e.initialized()
	first, second := e.Begin(), e.Begin()
	_, err := e.WriteConfig(first, fdbelection.ConfigWithLease(20*time.Second))
	require.NoError(t, err)
	_, err = e.WriteConfig(second, fdbelection.ConfigWithLease(30*time.Second))
	require.NoError(t, err)
	require.NoError(t, first.Commit())
	e.RequireConflict(second)
}

func rule10NothingWorksBeforeInitialising(t *testing.T, e *testElection) {
	me := newProcess("me", 1)
	token := election.Token{Term: 1, Identity: me.Identity, Nonce: newNonce()}
	calls := map[string]func(tr kv.Transaction) error{
		"register":  func(tr kv.Transaction) error { return e.RegisterCandidate(tr, me, at(0)) },
		"heartbeat": func(tr kv.Transaction) error { return e.HeartbeatCandidate(tr, me, at(0)) },
		"cycle":     func(tr kv.Transaction) error { _, err := e.RunElectionCycle(tr, me, at(0)); return err },
		"claim":     func(tr kv.Transaction) error { _, err := e.TryClaimLeadership(tr, me.Identity, at(0)); return err },
		"refresh":   func(tr kv.Transaction) error { _, err := e.RefreshLease(tr, token, at(0)); return err },
		"transfer": func(tr kv.Transaction) error {
			_, err := e.TransferLeadership(tr, token, "b", newNonce(), at(0))
			return err
		},
		"request":   func(tr kv.Transaction) error { return e.RequestResign(tr, 1, newNonce()) },
		"evict":     func(tr kv.Transaction) error { _, err := e.EvictDeadCandidates(tr, at(0)); return err },
		"unchanged": func(tr kv.Transaction) error { _, err := e.EvictUnchanged(tr, nil); return err },
		"config":    func(tr kv.Transaction) error { _, err := e.ReadConfig(tr); return err },
		"write":     func(tr kv.Transaction) error { _, err := e.WriteConfig(tr, fdbelection.DefaultConfig()); return err },
		"raw":       func(tr kv.Transaction) error { _, err := e.GetLeaderRaw(tr); return err },
		"leader":    func(tr kv.Transaction) error { _, _, err := e.GetLeader(tr, at(0)); return err },
	}
	for name, call := range calls {
		require.ErrorIs(t, e.Try(call), fdbelection.ErrNotInitialized, name)
	}
	e.Do(func(tr kv.Transaction) error { return e.UnregisterCandidate(tr, me.Identity, at(0)) })
	require.ErrorIs(t, e.fenced(token), fdbelection.ErrFenced)
	require.ErrorIs(t, e.resign(token, 0), fdbelection.ErrNotLeader)
	require.Empty(t, e.ids())
	require.Empty(t, e.events())
}
