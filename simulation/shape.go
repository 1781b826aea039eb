package simulation

import (
	"math/rand/v2"
	"time"

	"github.com/fdbelection/fdbelection"
)

// shape is what stays the same during a run.
type shape struct {
	config fdbelection.Config
	clockErrors
	exact bool // messages may take no time, and the margin is one nanosecond
	short bool // the lease is short, and may change by a factor of up to 10

	headStart time.Duration // of all processes; zero: a heartbeat, negative: none
}

// newShape draws the shape of a run.
func newShape(r *rand.Rand) shape {
	s := shape{clockErrors: clockErrors{skew: time.Hour}}
	c := fdbelection.ConfigWithLease(10 * time.Second)
	c.HeartbeatInterval = 3 * time.Second
	if s.short = r.IntN(4) == 0; s.short {
		c = fdbelection.ConfigWithLease(time.Second)
	}
	c.MinimumTenure, c.PreemptDelay = 0, 0 // drawn below
	switch r.IntN(6) {
	case 0:
		s.maxPPM = 500
	case 1:
		s.maxPPM = 20_000
	case 2:
		s.maxPPM = 100_000
	case 3:
		s.exact = true
	}
	// The margin is at least lease x 2r/(1+r) if the rates are off by r, rounded up.
	lease := int64(c.LeaseDuration)
	c.Margin = time.Duration(lease/(1_000_000+s.maxPPM)*2*s.maxPPM) + time.Millisecond
	if s.exact {
		c.Margin = 1
	}
	if r.IntN(8) == 0 {
		c.Expiry = fdbelection.ExpiryByClock
		s.skew, s.maxPPM = 0, 0
		if r.IntN(2) == 0 { // leadership is exclusive only while the clocks agree
			s.skew = c.LeaseDuration / 2
		}
	}
	switch r.IntN(5) {
	case 0:
		c.PreemptionGrace = 0
	case 1:
		c.PreemptionGrace = c.LeaseDuration / 5
	}
	if r.IntN(3) == 0 {
		c.MinimumTenure = time.Duration(r.Int64N(int64(2 * c.LeaseDuration)))
	}
	c.HistoryLimit = []int{0, 1, 4, 128}[r.IntN(4)]
	if r.IntN(3) == 0 {
		c.PreemptDelay = time.Duration(r.Int64N(int64(2 * c.LeaseDuration)))
	}
	switch r.IntN(8) {
	case 0:
		s.headStart = -1
	case 1, 2, 3:
		s.headStart = c.LeaseDuration
	}
	s.config = c
	return s
}

// scaledConfig returns the config with all durations multiplied by k.
func scaledConfig(c fdbelection.Config, k int) fdbelection.Config {
	for _, d := range []*time.Duration{
		&c.LeaseDuration, &c.HeartbeatInterval, &c.CandidateTimeout, &c.Margin, &c.PreemptionGrace, &c.PreemptDelay, &c.MinimumTenure,
	} {
		*d = time.Duration(int64(*d) * int64(k))
	}
	return c
}
