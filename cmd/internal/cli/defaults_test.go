package cli_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

// recipe returns a desk whose election has the config of the recipe, with other durations.
func recipe(t *testing.T) (*desk, fdbelection.Config) {
	t.Helper()
	d := newDesk(t)
	c := fdbelection.RecipeConfig()
	c.LeaseDuration, c.HeartbeatInterval, c.CandidateTimeout = 20*time.Second, 4*time.Second, time.Minute
	c.ElectionEnabled, c.HistoryLimit = false, 9
	d.does(func(tr kv.Transaction) error { _, err := d.InitializeWithConfig(tr, c); return err })
	return d, c
}

// TestConfigSetDefaults: the default settings of the stored lease are set. Lease,
// heartbeat, timeout and whether the election is enabled stay.
func TestConfigSetDefaults(t *testing.T) {
	d, want := recipe(t)
	want.Expiry = fdbelection.ExpiryByObservation
	want.PreemptionGrace, want.MinimumTenure, want.PreemptDelay = 20*time.Second, 20*time.Second, 20*time.Second
	before := everything(t, d.Database)
	o := d.runs("config", "set", "--defaults", "--dry-run")
	require.Zero(t, o.Code, o.Stderr)
	require.Contains(t, o.Stdout, "nothing was written")
	require.Equal(t, before, everything(t, d.Database))

	d.twice = true
	o = d.runs("config", "set", "--defaults", "--revision", "1")
	require.Zero(t, o.Code, o.Stderr)
	for _, line := range []string{
		"expiry +clock -> observation", "preemption_grace +0s -> 20s", "minimum_tenure +0s -> 20s", "preempt_delay +0s -> 20s", "revision 2 is written.*",
	} {
		require.Regexp(t, "(?m)^"+line+"$", o.Stdout)
	}
	require.NotRegexp(t, "(?m)^(lease|heartbeat|candidate_timeout|enabled|history_limit) ", o.Stdout)
	stored := d.state().Config
	require.True(t, stored.SameSettings(want), "%+v", stored)
	require.EqualValues(t, 2, stored.Revision)
	o = d.runs("config", "set", "--defaults")
	require.Zero(t, o.Code, o.Stderr)
	require.Contains(t, o.Stdout, "nothing to change")
	o = d.runs("config", "set", "--defaults", "--revision", "1")
	require.Equal(t, 1, o.Code, o.Stdout)
	require.Contains(t, o.Stderr, "config was changed in the meantime")

	// If the lease is set as well, the other settings follow from it, unless they are
	// named.
	o = d.runs("config", "set", "--defaults", "lease=30s", "minimum_tenure=1s")
	require.Zero(t, o.Code, o.Stderr)
	want.LeaseDuration, want.MinimumTenure, want.PreemptionGrace, want.PreemptDelay = 30*time.Second, time.Second, 30*time.Second, 30*time.Second
	stored = d.state().Config
	require.True(t, stored.SameSettings(want), "%+v", stored)
}

// TestConfigSetDefaultsGoesByTheRevision: if another operator changes the config between
// read and write, the change applies to the new revision.
func TestConfigSetDefaultsGoesByTheRevision(t *testing.T) {
	d, _ := recipe(t)
	runs := 0
	d.before = func() {
		if runs++; runs == 1 {
			d.does(func(tr kv.Transaction) error {
				c, err := d.ReadConfig(tr)
				c.LeaseDuration = 40 * time.Second
				if err == nil {
					_, err = d.WriteConfig(tr, c)
				}
				return err
			})
		}
	}
	o := d.runs("config", "set", "--defaults")
	require.Zero(t, o.Code, o.Stderr)
	c := d.state().Config
	require.Equal(t, 40*time.Second, c.LeaseDuration)
	require.Equal(t, 40*time.Second, c.PreemptionGrace, "it follows from the lease that stands")
}

// TestConfigSetDefaultsOnADamagedConfig: a damaged config is replaced completely. A config
// of a newer version is not changed.
func TestConfigSetDefaultsOnADamagedConfig(t *testing.T) {
	d := newDesk(t)
	d.made()
	d.spoil(rubbish, "config")
	o := d.runs("config", "set", "lease=20s")
	require.Equal(t, 1, o.Code, o.Stdout)
	require.Contains(t, o.Stderr, "fdbelect config set --defaults")
	before := everything(t, d.Database)
	o = d.runs("config", "set", "--defaults", "--dry-run")
	require.Zero(t, o.Code, o.Stderr)
	require.Contains(t, o.Stdout, "nothing was written")
	require.Equal(t, before, everything(t, d.Database))
	o = d.runs("config", "set", "--defaults", "--revision", "1")
	require.Equal(t, 1, o.Code, o.Stdout)

	d.twice = true
	o = d.runs("config", "set", "--defaults", "lease=20s", "enabled=false")
	require.Zero(t, o.Code, o.Stderr)
	require.Contains(t, o.Stdout, "the config could not be read, and was replaced completely: check each setting")
	require.Contains(t, o.Stdout, "config at key")
	require.Regexp(t, `(?m)^lease +unreadable -> 20s$`, o.Stdout)
	require.Regexp(t, `(?m)^enabled +unreadable -> false$`, o.Stdout)
	require.NotContains(t, o.Stdout, "\x1b")
	want := fdbelection.ConfigWithLease(20 * time.Second)
	want.ElectionEnabled = false
	c := d.state().Config
	require.True(t, c.SameSettings(want), "%+v", c)
	require.Zero(t, d.runs("status").Code)

	d.spoil(newer, "config")
	for _, args := range [][]string{{"config", "set", "--defaults"}, {"config", "set", "--defaults", "--dry-run"}} {
		o = d.runs(args...)
		require.Equal(t, 1, o.Code, o.Stdout)
		require.Contains(t, o.Stderr, "a newer program wrote it")
		require.Empty(t, o.Stdout)
	}
}

// TestInitCreatesTheDefaults: init creates the default config of a lease, or that of the
// recipe.
func TestInitCreatesTheDefaults(t *testing.T) {
	for line, want := range map[string]fdbelection.Config{
		"init":                     fdbelection.DefaultConfig(),
		"init --lease 10s":         fdbelection.DefaultConfig(),
		"init --lease 6s":          fdbelection.ConfigWithLease(6 * time.Second),
		"init --recipe":            fdbelection.RecipeConfig(),
		"init --preempt-delay 1ms": with(fdbelection.DefaultConfig(), func(c *fdbelection.Config) { c.PreemptDelay = time.Millisecond }),
		"init --recipe --grace 2s --expiry observation": with(fdbelection.RecipeConfig(), func(c *fdbelection.Config) {
			c.PreemptionGrace, c.Expiry = 2*time.Second, fdbelection.ExpiryByObservation
		}),
	} {
		d := newDesk(t)
		o := d.runs(words(line)...)
		require.Zero(t, o.Code, o.Stderr)
		c := d.state().Config
		require.True(t, c.SameSettings(want), "%s: %+v", line, c)
		o = d.runs("config", "get", "-o", "json")
		var shown struct {
			PreemptDelay float64 `json:"preempt_delay_seconds"`
		}
		require.NoError(t, json.Unmarshal([]byte(o.Stdout), &shown))
		require.InDelta(t, want.PreemptDelay.Seconds(), shown.PreemptDelay, 0)
		require.Contains(t, d.runs("status").Stdout, "preempt delay "+want.PreemptDelay.String())
	}
}

func with(c fdbelection.Config, change func(c *fdbelection.Config)) fdbelection.Config {
	change(&c)
	return c
}

// TestConfigSetDefaultsUnderProcesses: the config of the recipe is changed to the defaults
// while processes run that were given another config. The leader continues in its term, no
// other candidate claims, and from then on leases expire by observation.
func TestConfigSetDefaultsUnderProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t)
		d.LeaderElection = election.New(d.Subspace(), election.WithClock(election.Clock{Now: time.Now, Run: uuid.UUID{1}}))
		sleep := func(time time.Duration) { require.NoError(t, clock.Sleep(t.Context(), clitest.Virtual{}, time)) }
		ctx, stop := context.WithCancel(t.Context())
		electors := make(map[string]*elector.Elector)
		for _, id := range []string{"a", "b"} {
			el, err := elector.New(d, d.LeaderElection, elector.Options{NodeID: id, Config: fdbelection.RecipeConfig(), Clock: clitest.Virtual{}})
			require.NoError(t, err)
			electors[id] = el
			require.NoError(t, el.Start(ctx))
			sleep(time.Second)
		}
		caller := d.member("c") // which keeps nothing between its cycles
		d.does(func(tr kv.Transaction) error { return d.RegisterCandidate(tr, caller, time.Now()) })
		pass := func(leases int) {
			for range leases * 4 {
				sleep(2500 * time.Millisecond)
				d.does(func(tr kv.Transaction) error {
					result, err := d.RunElectionCycle(tr, caller, time.Now())
					if err == nil {
						require.False(t, result.Leads())
					}
					return err
				})
			}
		}
		pass(2)
		before := d.state()
		require.Equal(t, fdbelection.ExpiryByClock, before.Config.Expiry)
		require.Equal(t, "a", before.Leader.ID)

		o := d.runs("config", "set", "--defaults")
		require.Zero(t, o.Code, o.Stderr)
		pass(5)
		after := d.state()
		require.Equal(t, before.Leader.Token(), after.Leader.Token(), "a leads on in its term")
		require.Greater(t, after.Leader.Ballot, before.Leader.Ballot)
		require.True(t, after.Config.SameSettings(fdbelection.DefaultConfig()), "%+v", after.Config)

		electors["a"].Abandon()
		last := d.state().Leader
		sleep(15 * time.Second)
		next := d.state().Leader
		require.Equal(t, "b", next.ID)
		require.False(t, next.AcquiredAt.Before(last.LeaseExpiry), "a lease after the last renewal")
		require.Equal(t, election.AcquireExpiry, next.AcquireReason)
		require.NoError(t, electors["b"].Stop(t.Context()))
		stop()
	})
}
