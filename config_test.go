package fdbelection_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/fdbelection/fdbelection"
)

func TestDefaultConfigIsValid(t *testing.T) {
	c := fdbelection.DefaultConfig()
	require.NoError(t, c.Validate())
	require.Equal(t, 10*time.Second, c.LeaseDuration)
	require.Equal(t, 3*time.Second, c.HeartbeatInterval)
	require.Equal(t, 15*time.Second, c.CandidateTimeout)
	require.Equal(t, time.Second, c.EffectiveMargin())
	require.Equal(t, 4*time.Second, c.AcceptanceLease())
	require.True(t, c.ElectionEnabled)
	require.True(t, c.AllowPreemption)
	require.Equal(t, fdbelection.ExpiryByObservation, c.Expiry)
	for _, d := range []time.Duration{c.PreemptionGrace, c.MinimumTenure, c.PreemptDelay} {
		require.Equal(t, c.LeaseDuration, d)
	}
}

// TestRecipeConfig checks that the settings are those of the original recipe.
func TestRecipeConfig(t *testing.T) {
	c := fdbelection.RecipeConfig()
	require.NoError(t, c.Validate())
	require.Equal(t, fdbelection.ExpiryByClock, c.Expiry)
	require.Zero(t, c.PreemptionGrace)
	require.Zero(t, c.MinimumTenure)
	require.Zero(t, c.PreemptDelay)
	d := fdbelection.DefaultConfig()
	require.Equal(t, d.LeaseDuration, c.LeaseDuration)
	require.Equal(t, d.HeartbeatInterval, c.HeartbeatInterval)
	require.Equal(t, d.CandidateTimeout, c.CandidateTimeout)
}

func TestConfigWithLeaseIsValidForEveryLease(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lease := time.Duration(rapid.Int64Range(int64(fdbelection.MinLeaseDuration), int64(fdbelection.MaxDuration*2/3)).Draw(t, "lease"))
		c := fdbelection.ConfigWithLease(lease)
		if err := c.Validate(); err != nil {
			t.Fatal(err)
		}
		if c.AcceptanceLease() <= c.HeartbeatInterval || c.AcceptanceLease() >= lease {
			t.Fatalf("acceptance lease %v of lease %v", c.AcceptanceLease(), lease)
		}
	})
}

func TestValidateReportsEveryFaultByField(t *testing.T) {
	c := fdbelection.Config{
		LeaseDuration: -1, HeartbeatInterval: 0, CandidateTimeout: fdbelection.MaxDuration + 1,
		PreemptionGrace: -1, PreemptDelay: -1, MinimumTenure: -1, Margin: -1, HistoryLimit: -1, Expiry: 9,
	}
	err := c.Validate()
	require.ErrorIs(t, err, fdbelection.ErrInvalidConfig)
	var invalid *fdbelection.InvalidConfigError
	require.ErrorAs(t, err, &invalid)
	var fields []string
	for _, fault := range invalid.Faults {
		fields = append(fields, fault.Field)
		require.Contains(t, err.Error(), fault.Field+" "+fault.Problem)
	}
	require.ElementsMatch(t, []string{
		"LeaseDuration", "HeartbeatInterval", "CandidateTimeout", "PreemptionGrace",
		"PreemptDelay", "MinimumTenure", "Margin", "HistoryLimit", "Expiry",
	}, fields)
}

func TestValidateRelations(t *testing.T) {
	for name, test := range map[string]struct {
		change func(c *fdbelection.Config)
		field  string
	}{
		"heartbeat of the lease minus the margin": {func(c *fdbelection.Config) { c.HeartbeatInterval = 9 * time.Second }, "HeartbeatInterval"},
		"timeout of the heartbeat":                {func(c *fdbelection.Config) { c.CandidateTimeout = c.HeartbeatInterval }, "CandidateTimeout"},
		"margin of the lease":                     {func(c *fdbelection.Config) { c.Margin = c.LeaseDuration }, "Margin"},
		"history too long":                        {func(c *fdbelection.Config) { c.HistoryLimit = fdbelection.MaxHistoryLimit + 1 }, "HistoryLimit"},
	} {
		t.Run(name, func(t *testing.T) {
			c := fdbelection.DefaultConfig()
			test.change(&c)
			var invalid *fdbelection.InvalidConfigError
			require.ErrorAs(t, c.Validate(), &invalid)
			require.Len(t, invalid.Faults, 1)
			require.Equal(t, test.field, invalid.Faults[0].Field)
		})
	}
	c := fdbelection.DefaultConfig()
	c.HeartbeatInterval = 9*time.Second - 1
	require.NoError(t, c.Validate())
}

func TestMarginForAnotherLeaseKeepsTheProportion(t *testing.T) {
	c := fdbelection.DefaultConfig()
	c.Margin = 3 * time.Second
	require.Equal(t, 3*time.Second, c.EffectiveMargin())
	require.Equal(t, 1500*time.Millisecond, c.MarginFor(5*time.Second))
	require.Equal(t, 30*time.Second, c.MarginFor(100*time.Second))
	rapid.Check(t, func(t *rapid.T) {
		long := func(name string) time.Duration {
			return time.Duration(rapid.Int64Range(1, int64(fdbelection.MaxDuration)).Draw(t, name))
		}
		c := fdbelection.Config{LeaseDuration: long("lease"), Margin: long("margin")}
		if c.Margin >= c.LeaseDuration {
			t.Skip("not valid")
		}
		lease := long("other lease")
		margin := c.MarginFor(lease)
		want := float64(c.Margin) / float64(c.LeaseDuration) * float64(lease)
		if margin < 0 || margin > lease || math.Abs(float64(margin)-want) > 2+want*1e-12 {
			t.Fatalf("margin %v for lease %v, want about %v", margin, lease, time.Duration(want))
		}
	})
}

func TestExpiryModeText(t *testing.T) {
	for _, mode := range []fdbelection.ExpiryMode{fdbelection.ExpiryByClock, fdbelection.ExpiryByObservation} {
		parsed, err := fdbelection.ParseExpiryMode(mode.String())
		require.NoError(t, err)
		require.Equal(t, mode, parsed)
	}
	_, err := fdbelection.ParseExpiryMode("lunar\x1b")
	require.ErrorIs(t, err, fdbelection.ErrInvalidConfig)
	require.NotContains(t, err.Error(), "\x1b")
}

func TestInvalidStateErrorEscapesItsKey(t *testing.T) {
	err := &fdbelection.InvalidStateError{Key: []byte("\x02a\x00\x1b\xff"), Record: "leader", Problem: "p"}
	require.ErrorIs(t, err, fdbelection.ErrInvalidState)
	require.Contains(t, err.Error(), `\x1b`)
	require.NotContains(t, err.Error(), "\x1b")
}
