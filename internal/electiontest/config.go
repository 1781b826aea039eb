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
	{"Rule09_disabled_refuses_claims_and_renewals", disabledRefuses},
	{"Rule09_disabled_lets_heartbeats_and_resignations_through", disabledLetsThrough},
}

var configTests = []test{
	{"Rule11_initialising_again_changes_nothing", initialisingAgain},
	{"Rule11_a_config_is_compared_and_set_on_its_revision", configCompareAndSet},
	{"Rule07_a_config_write_knows_its_own_success", configWriteRunAgain},
	{"Rule05_concurrent_config_writes_conflict", concurrentConfigWrites},
	{"Rule10_nothing_works_before_initialising", nothingBeforeInitialising},
}

func disabled(c *fdbelection.Config) { c.ElectionEnabled = false }

func enabled(c *fdbelection.Config) { c.ElectionEnabled = true }

func disabledRefuses(t *testing.T, w *world) {
	w.initialized()
	a, token := w.leads("a", 1, at(0))
	b := w.join("b", 2, at(0))
	w.configure(disabled)
	before := w.leader()
	w.acts(election.Draining, a, at(3))
	_, err := w.refresh(token, 3)
	require.ErrorIs(t, err, fdbelection.ErrElectionDisabled)
	w.acts(election.Followed, b, at(3)) // neither preempts
	w.acts(election.Followed, b, at(30))
	_, err = w.tryClaim(b, 30)
	require.ErrorIs(t, err, fdbelection.ErrElectionDisabled)
	w.acts(election.Followed, a, at(30)) // its lease is over, and it may not claim
	require.Equal(t, before, w.leader())
	w.configure(enabled)
	w.acts(election.Claimed, b, at(31))
}

func (w *world) tryClaim(me election.Registration, now float64) (result election.CycleResult, err error) {
	err = w.try(func(tr kv.Transaction) (err error) {
		result, err = w.TryClaimLeadership(tr, me.Identity, at(now))
		return err
	})
	return result, err
}

func disabledLetsThrough(t *testing.T, w *world) {
	w.initialized()
	_, token := w.leads("a", 1, at(0))
	b := w.join("b", 2, at(0))
	w.configure(disabled)
	w.cycle(b, at(3))
	w.do(func(tr kv.Transaction) error { return w.HeartbeatCandidate(tr, b, at(6)) })
	require.EqualValues(t, 3, w.candidate("b").Heartbeats)
	left, err := w.transfer(token, "b", newNonce(), 7) // becomes a resignation
	require.NoError(t, err)
	require.True(t, left.Vacant())
	require.NoError(t, w.resign(token, 8))
	require.True(t, w.leader().Vacant())
}

func initialisingAgain(t *testing.T, w *world) {
	first := fdbelection.ConfigWithLease(20 * time.Second)
	for _, config := range []fdbelection.Config{first, fdbelection.DefaultConfig()} {
		w.do(func(tr kv.Transaction) error {
			stands, err := w.InitializeWithConfig(tr, config)
			require.True(t, stands.SameSettings(first))
			require.EqualValues(t, 1, stands.Revision)
			return err
		})
	}
	w.do(func(tr kv.Transaction) error {
		stands, err := w.Initialize(tr)
		require.True(t, stands.SameSettings(first))
		return err
	})
}

func (w *world) writeConfig(config fdbelection.Config) (stands fdbelection.Config, err error) {
	err = w.try(func(tr kv.Transaction) (err error) {
		stands, err = w.WriteConfig(tr, config)
		return err
	})
	return stands, err
}

func configCompareAndSet(t *testing.T, w *world) {
	w.initialized()
	mine := fdbelection.ConfigWithLease(20 * time.Second)
	mine.Revision = 1
	stands, err := w.writeConfig(mine)
	require.NoError(t, err)
	require.EqualValues(t, 2, stands.Revision)
	theirs := fdbelection.ConfigWithLease(30 * time.Second)
	theirs.Revision = 1
	_, err = w.writeConfig(theirs)
	require.ErrorIs(t, err, fdbelection.ErrConfigChanged)
	theirs.Revision = 0
	stands, err = w.writeConfig(theirs)
	require.NoError(t, err)
	require.EqualValues(t, 3, stands.Revision)
	require.Equal(t, 30*time.Second, stands.LeaseDuration)
}

func configWriteRunAgain(t *testing.T, w *world) {
	w.initialized()
	mine := fdbelection.ConfigWithLease(20 * time.Second)
	mine.Revision, mine.Nonce = 1, newNonce()
	for range 2 {
		stands, err := w.writeConfig(mine)
		require.NoError(t, err)
		require.EqualValues(t, 2, stands.Revision)
	}
	same := mine
	same.Nonce = newNonce() // somebody else who wants the same is told that it was not his write
	_, err := w.writeConfig(same)
	require.ErrorIs(t, err, fdbelection.ErrConfigChanged)
	blind := fdbelection.ConfigWithLease(40 * time.Second)
	for range 2 {
		stands, err := w.writeConfig(blind)
		require.NoError(t, err)
		require.EqualValues(t, 3, stands.Revision)
	}
}

func concurrentConfigWrites(t *testing.T, w *world) {
	w.initialized()
	first, second := w.open(), w.open()
	_, err := w.WriteConfig(first, fdbelection.ConfigWithLease(20*time.Second))
	require.NoError(t, err)
	_, err = w.WriteConfig(second, fdbelection.ConfigWithLease(30*time.Second))
	require.NoError(t, err)
	require.NoError(t, first.Commit())
	w.requireConflict(second)
}

func nothingBeforeInitialising(t *testing.T, w *world) {
	me := newProcess("me", 1)
	token := election.Token{Term: 1, Identity: me.Identity, Nonce: newNonce()}
	calls := map[string]func(tr kv.Transaction) error{
		"register":  func(tr kv.Transaction) error { return w.RegisterCandidate(tr, me, at(0)) },
		"heartbeat": func(tr kv.Transaction) error { return w.HeartbeatCandidate(tr, me, at(0)) },
		"cycle":     func(tr kv.Transaction) error { _, err := w.RunElectionCycle(tr, me, at(0)); return err },
		"claim":     func(tr kv.Transaction) error { _, err := w.TryClaimLeadership(tr, me.Identity, at(0)); return err },
		"refresh":   func(tr kv.Transaction) error { _, err := w.RefreshLease(tr, token, at(0)); return err },
		"transfer": func(tr kv.Transaction) error {
			_, err := w.TransferLeadership(tr, token, "b", newNonce(), at(0))
			return err
		},
		"request":   func(tr kv.Transaction) error { return w.RequestResign(tr, 1, newNonce()) },
		"evict":     func(tr kv.Transaction) error { _, err := w.EvictDeadCandidates(tr, at(0)); return err },
		"unchanged": func(tr kv.Transaction) error { _, err := w.EvictUnchanged(tr, nil); return err },
		"config":    func(tr kv.Transaction) error { _, err := w.ReadConfig(tr); return err },
		"write":     func(tr kv.Transaction) error { _, err := w.WriteConfig(tr, fdbelection.DefaultConfig()); return err },
		"raw":       func(tr kv.Transaction) error { _, err := w.GetLeaderRaw(tr); return err },
		"leader":    func(tr kv.Transaction) error { _, _, err := w.GetLeader(tr, at(0)); return err },
	}
	for name, call := range calls {
		require.ErrorIs(t, w.try(call), fdbelection.ErrNotInitialized, name)
	}
	w.do(func(tr kv.Transaction) error { return w.UnregisterCandidate(tr, me.Identity, at(0)) })
	require.ErrorIs(t, w.fenced(token), fdbelection.ErrFenced)
	require.ErrorIs(t, w.resign(token, 0), fdbelection.ErrNotLeader)
	require.Empty(t, w.ids())
	require.Empty(t, w.events())
}
