package grouptest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/suite"
	"github.com/fdbelection/fdbelection/kv"
)

var configTests = []test{
	rule14AGroupIsCreatedOnce,
	rule14AConfigReplacesItsRevision,
	rule14AConfigWithoutARevisionReplacesAny,
	rule14ADamagedConfigIsReplaced,
	rule14ConcurrentConfigsConflict,
	rule14BadConfigsAreRefusedWithAllFaults,
}

func (g *testGroup) config() group.Config {
	g.T.Helper()
	config, err := suite.Read(g.Store, g.ReadConfig)
	require.NoError(g.T, err)
	return config
}

func (g *testGroup) initialize(config group.Config) (stored group.Config, err error) {
	err = g.Try(func(tr kv.Transaction) (err error) {
		stored, err = g.Initialize(tr, config)
		return err
	})
	return stored, err
}

func (g *testGroup) writeConfig(config group.Config) (stored group.Config, err error) {
	err = g.Try(func(tr kv.Transaction) (err error) {
		stored, err = g.WriteConfig(tr, config)
		return err
	})
	return stored, err
}

func rule14AGroupIsCreatedOnce(t *testing.T, g *testGroup) {
	_, err := g.writeConfig(group.DefaultConfig())
	require.ErrorIs(t, err, fdbelection.ErrNotInitialized)
	config := group.ConfigWithLease(time.Minute)
	config.Nonce = newNonce()
	created, err := g.initialize(config)
	require.NoError(t, err)
	require.EqualValues(t, 1, created.Revision)
	require.True(t, created.SameSettings(config))
	require.Equal(t, created, g.config())
	before := g.Dump()
	for _, other := range []group.Config{config, group.DefaultConfig()} {
		stored, err := g.initialize(other)
		require.NoError(t, err)
		require.Equal(t, created, stored, "the stored one counts")
	}
	require.Equal(t, before, g.Dump())
	one := newTestGroup(t, g.Engine)
	first, second := one.Begin(), one.Begin()
	for _, tr := range []kv.Transaction{first, second} {
		_, err := one.Initialize(tr, config)
		require.NoError(t, err)
	}
	require.NoError(t, first.Commit())
	one.RequireConflict(second)
	g.damage("group")
	_, err = g.initialize(config)
	require.ErrorIs(t, err, fdbelection.ErrInvalidState)
}

func rule14AConfigReplacesItsRevision(t *testing.T, g *testGroup) {
	g.initialized()
	first := g.config()
	change := first
	change.LeaseDuration, change.Nonce = time.Minute, newNonce()
	second, err := g.writeConfig(change)
	require.NoError(t, err)
	require.EqualValues(t, 2, second.Revision)
	require.Equal(t, second, g.config())
	again, err := g.writeConfig(change)
	require.NoError(t, err, "a run after an unknown result")
	require.Equal(t, second, again)
	other := change
	other.Nonce = newNonce()
	_, err = g.writeConfig(other)
	require.ErrorIs(t, err, fdbelection.ErrConfigChanged, "another write of the same settings")
	other = change
	other.Margin = time.Second
	_, err = g.writeConfig(other)
	require.ErrorIs(t, err, fdbelection.ErrConfigChanged)
	third := second
	third.MaxMoves, third.Nonce = 1, newNonce()
	_, err = g.writeConfig(third)
	require.NoError(t, err)
	_, err = g.writeConfig(change)
	require.ErrorIs(t, err, fdbelection.ErrConfigChanged, "others have followed")
	require.EqualValues(t, 3, g.config().Revision)
	require.Equal(t, 1, g.config().MaxMoves)
}

func rule14AConfigWithoutARevisionReplacesAny(t *testing.T, g *testGroup) {
	g.initialized()
	g.configure(disabled)
	config := group.ConfigWithLease(time.Minute)
	config.Nonce = newNonce()
	for range 2 {
		stored, err := g.writeConfig(config)
		require.NoError(t, err)
		require.EqualValues(t, 3, stored.Revision)
		require.True(t, g.config().Enabled)
	}
	config.Nonce = newNonce()
	stored, err := g.writeConfig(config)
	require.NoError(t, err)
	require.EqualValues(t, 4, stored.Revision)
}

func rule14ADamagedConfigIsReplaced(t *testing.T, g *testGroup) {
	g.initialized()
	config := group.ConfigWithLease(time.Minute)
	config.Revision = 1
	g.damage("group")
	_, err := g.writeConfig(config)
	require.ErrorIs(t, err, fdbelection.ErrInvalidState)
	_, err = suite.Read(g.Store, g.ReadConfig)
	require.ErrorIs(t, err, fdbelection.ErrInvalidState)
	config.Revision = 0
	stored, err := g.writeConfig(config)
	require.NoError(t, err)
	require.EqualValues(t, int64(1<<40), stored.Revision, "above any that it had")
	require.Equal(t, stored, g.config())
	g.fromTheFuture("group")
	before := g.Dump()
	_, err = g.writeConfig(config)
	require.ErrorIs(t, err, fdbelection.ErrInvalidState)
	require.Equal(t, before, g.Dump())
}

func rule14ConcurrentConfigsConflict(t *testing.T, g *testGroup) {
	g.initialized()
	one, two := g.Begin(), g.Begin()
	for i, tr := range []kv.Transaction{one, two} {
		_, err := g.WriteConfig(tr, group.ConfigWithLease(time.Duration(i+20)*time.Second))
		require.NoError(t, err)
	}
	require.NoError(t, one.Commit())
	g.RequireConflict(two)
}

func rule14BadConfigsAreRefusedWithAllFaults(t *testing.T, g *testGroup) {
	g.initialized()
	before := g.Dump()
	bad := group.DefaultConfig()
	bad.HeartbeatInterval, bad.SettleDelay, bad.MaxMoves, bad.Retention = bad.LeaseDuration, -1, 0, 0
	for _, write := range []func(group.Config) (group.Config, error){g.initialize, g.writeConfig} {
		_, err := write(bad)
		require.ErrorIs(t, err, fdbelection.ErrInvalidConfig)
		var invalid *fdbelection.InvalidConfigError
		require.ErrorAs(t, err, &invalid)
		require.Len(t, invalid.Faults, 4)
	}
	require.Equal(t, before, g.Dump())
}
