package election

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
)

// TestNoPreempt: with NoPreempt, a candidate claims a vacant or expired leadership, and neither
// preempts nor requests preemption.
func TestNoPreempt(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(v *view, c *caller)
		without decision // the option
		with    decision
	}{
		{"preemption at once", func(v *view, _ *caller) { v.config.PreemptionGrace = 0 }, decision{Claimed, AcquirePreemption}, decision{action: Followed}},
		{"a preemption request", func(v *view, _ *caller) { v.config.PreemptionGrace = 5 }, decision{action: RequestedPreemption}, decision{action: Followed}},
		{"a preemption request that stands", func(v *view, c *caller) {
			v.config.PreemptionGrace = 5
			v.request = Request{Kind: PreemptionRequest, Term: 3, Identity: c.Identity, Priority: c.priority}
		}, decision{action: RequestedPreemption}, decision{action: Withdrew}},
		{"a vacancy", func(v *view, _ *caller) { v.leader = v.leader.vacated(second(0)) }, decision{Claimed, AcquireVacancy}, decision{Claimed, AcquireVacancy}},
		{"an expired lease", func(_ *view, c *caller) { c.now = second(10) }, decision{Claimed, AcquireExpiry}, decision{Claimed, AcquireExpiry}},
		{"its own tenure", func(_ *view, c *caller) { asHolder(c) }, decision{action: Renewed}, decision{action: Renewed}},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, me := decideBase()
			v.config.Expiry, v.config.MinimumTenure, me.priority = fdbelection.ExpiryByClock, 0, 6
			c.change(v, me)
			require.Equal(t, c.without, decide(v, me))
			NoPreempt()(&me.cycleOptions)
			require.Equal(t, c.with, decide(v, me))
		})
	}
}
