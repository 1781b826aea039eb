package fdbelection_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
)

// TestDocumentedValues: operators and programs in other languages rely on these
// values.
func TestDocumentedValues(t *testing.T) {
	require.Equal(t, time.Millisecond, fdbelection.MinLeaseDuration)
	require.Equal(t, 365*24*time.Hour, fdbelection.MaxDuration)
	require.Equal(t, 10_000, fdbelection.MaxHistoryLimit)
	require.Equal(t, 128, fdbelection.DefaultHistoryLimit)
	require.Equal(t, 128, fdbelection.DefaultConfig().HistoryLimit)
	require.Equal(t, 128, fdbelection.RecipeConfig().HistoryLimit)
	// The numbers are stored in the config record.
	require.EqualValues(t, 0, fdbelection.ExpiryByClock)
	require.EqualValues(t, 1, fdbelection.ExpiryByObservation)
	require.Equal(t, "clock", fdbelection.ExpiryByClock.String())
	require.Equal(t, "observation", fdbelection.ExpiryByObservation.String())
	require.Equal(t, "ExpiryMode(-1)", fdbelection.ExpiryMode(-1).String())
	require.Equal(t, "ExpiryMode(2)", fdbelection.ExpiryMode(2).String())
}

func TestConfigWithLeaseKeepsItsProportions(t *testing.T) {
	c := fdbelection.ConfigWithLease(6 * time.Second)
	require.Equal(t, 6*time.Second, c.LeaseDuration)
	require.Equal(t, 2*time.Second, c.HeartbeatInterval)
	require.Equal(t, 9*time.Second, c.CandidateTimeout)
	require.Equal(t, 600*time.Millisecond, c.EffectiveMargin())
	for _, d := range []time.Duration{c.PreemptionGrace, c.MinimumTenure, c.PreemptDelay} {
		require.Equal(t, 6*time.Second, d)
	}
	require.Equal(t, fdbelection.ExpiryByObservation, c.Expiry)
}

// TestConfigWithLeaseOutOfBounds: a lease that is out of bounds does not cause an
// overflow, so only its bounds are reported.
func TestConfigWithLeaseOutOfBounds(t *testing.T) {
	for _, lease := range []time.Duration{math.MinInt64, -1, 0, fdbelection.MaxDuration + 1, math.MaxInt64/3 + 1, math.MaxInt64} {
		c := fdbelection.ConfigWithLease(lease)
		require.ErrorContains(t, c.Validate(), "LeaseDuration is "+lease.String()+"; use 1ms to 8760h0m0s")
		if lease > 0 {
			require.Greater(t, c.CandidateTimeout, c.HeartbeatInterval)
		}
	}
}

// TestValidateBounds checks, for each bound of each field, the last valid value and the
// first invalid one.
func TestValidateBounds(t *testing.T) {
	const longest = fdbelection.MaxDuration
	type change = func(*fdbelection.Config)
	duration := func(set func(*fdbelection.Config, time.Duration), d time.Duration) change {
		return func(c *fdbelection.Config) { set(c, d) }
	}
	setLease := func(c *fdbelection.Config, d time.Duration) {
		c.LeaseDuration, c.HeartbeatInterval = d, max(1, d/3)
	}
	setHeartbeat := func(c *fdbelection.Config, d time.Duration) { c.HeartbeatInterval = d }
	setTimeout := func(c *fdbelection.Config, d time.Duration) { c.CandidateTimeout = d }
	setMargin := func(c *fdbelection.Config, d time.Duration) { c.Margin = d }
	setGrace := func(c *fdbelection.Config, d time.Duration) { c.PreemptionGrace = d }
	setDelay := func(c *fdbelection.Config, d time.Duration) { c.PreemptDelay = d }
	setTenure := func(c *fdbelection.Config, d time.Duration) { c.MinimumTenure = d }
	setHistory := func(n int) change { return func(c *fdbelection.Config) { c.HistoryLimit = n } }
	widest := func(then change) change {
		return func(c *fdbelection.Config) {
			c.LeaseDuration, c.CandidateTimeout = longest, longest
			then(c)
		}
	}
	for _, c := range []struct {
		name   string
		change change
		want   string // the error, or empty if the config is valid
	}{
		{"shortest lease", duration(setLease, time.Millisecond), ""},
		{"lease too short", duration(setLease, time.Millisecond-1), "LeaseDuration is 999.999µs; use 1ms to 8760h0m0s"},
		{"longest lease", widest(func(*fdbelection.Config) {}), ""},
		{"lease too long", widest(func(c *fdbelection.Config) { c.LeaseDuration++ }), "LeaseDuration is 8760h0m0.000000001s; use 1ms to 8760h0m0s"},
		{"shortest heartbeat", duration(setHeartbeat, 1), ""},
		{"no heartbeat", duration(setHeartbeat, 0), "HeartbeatInterval is 0s; use 1ns to 8760h0m0s"},
		{"heartbeat too long", duration(setHeartbeat, longest+1), "HeartbeatInterval is 8760h0m0.000000001s; use 1ns to 8760h0m0s"},
		{"shortest timeout", func(c *fdbelection.Config) { c.HeartbeatInterval, c.CandidateTimeout = 1, 2 }, ""},
		{"no timeout", duration(setTimeout, 0), "CandidateTimeout is 0s; use 1ns to 8760h0m0s"},
		{"longest timeout", duration(setTimeout, longest), ""},
		{"timeout too long", duration(setTimeout, longest+1), "CandidateTimeout is 8760h0m0.000000001s; use 1ns to 8760h0m0s"},
		{"margin too short", duration(setMargin, -1), "Margin is -1ns; use 0s to 8760h0m0s"},
		{"longest margin", widest(func(c *fdbelection.Config) { c.HeartbeatInterval, c.Margin = 1, longest-2 }), ""},
		{"margin too long", duration(setMargin, longest+1), "Margin is 8760h0m0.000000001s; use 0s to 8760h0m0s"},
		{"margin of the lease", duration(setMargin, 10*time.Second), "Margin is 10s, not shorter than the lease of 10s"},
		{"no grace", duration(setGrace, 0), ""},
		{"negative grace", duration(setGrace, -1), "PreemptionGrace is -1ns; use 0s to 8760h0m0s"},
		{"longest grace", duration(setGrace, longest), ""},
		{"grace too long", duration(setGrace, longest+1), "PreemptionGrace is 8760h0m0.000000001s; use 0s to 8760h0m0s"},
		{"delay too long", duration(setDelay, longest+1), "PreemptDelay is 8760h0m0.000000001s; use 0s to 8760h0m0s"},
		{"negative delay", duration(setDelay, -1), "PreemptDelay is -1ns; use 0s to 8760h0m0s"},
		{"tenure too long", duration(setTenure, longest+1), "MinimumTenure is 8760h0m0.000000001s; use 0s to 8760h0m0s"},
		{"no history", setHistory(0), ""},
		{"negative history", setHistory(-1), "HistoryLimit is -1; use 0 to 10000"},
		{"longest history", setHistory(10_000), ""},
		{"history too long", setHistory(10_001), "HistoryLimit is 10001; use 0 to 10000"},
		{"unknown expiry", func(c *fdbelection.Config) { c.Expiry = 2 }, "Expiry is ExpiryMode(2); use ExpiryByClock or ExpiryByObservation"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := fdbelection.DefaultConfig()
			c.change(&config)
			if c.want == "" {
				require.NoError(t, config.Validate())
				return
			}
			require.ErrorContains(t, config.Validate(), c.want)
		})
	}
}

// TestValidateReportsTheCauseOnly: if the margin is as long as the lease, the heartbeat
// has nothing to be compared with. Only one fault is reported.
func TestValidateReportsTheCauseOnly(t *testing.T) {
	c := fdbelection.DefaultConfig()
	c.Margin = c.LeaseDuration
	require.EqualError(t, c.Validate(), "invalid config: Margin is 10s, not shorter than the lease of 10s")
	for _, lease := range []time.Duration{0, -1} {
		c = fdbelection.DefaultConfig()
		c.LeaseDuration, c.Margin = lease, time.Second
		require.EqualError(t, c.Validate(), fmt.Sprintf("invalid config: LeaseDuration is %s; use 1ms to 8760h0m0s", lease))
	}
}

func TestAcceptanceLeaseIsNoLongerThanTheLease(t *testing.T) {
	c := fdbelection.DefaultConfig()
	c.HeartbeatInterval = c.LeaseDuration // not valid
	require.Equal(t, c.LeaseDuration, c.AcceptanceLease())
}

// TestMarginWithoutALease: without a lease there is no proportion. The margin is a
// tenth, and there is no panic.
func TestMarginWithoutALease(t *testing.T) {
	for _, lease := range []time.Duration{0, -1} {
		c := fdbelection.Config{LeaseDuration: lease, Margin: time.Second}
		require.Equal(t, 500*time.Millisecond, c.MarginFor(5*time.Second))
	}
}
