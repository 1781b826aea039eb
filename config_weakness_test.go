package fdbelection_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection"
)

func TestWeaknesses(t *testing.T) {
	config := fdbelection.DefaultConfig()
	require.Empty(t, config.Weaknesses())
	config.Expiry, config.PreemptionGrace = fdbelection.ExpiryByClock, 0
	require.Len(t, config.Weaknesses(), 2)
	require.Contains(t, config.Weaknesses()[0].String(), "expiry by clock (it relies on the clocks")
	require.Contains(t, config.Weaknesses()[1].String(), "preemption without a grace (a higher priority")
	config.AllowPreemption = false
	require.Len(t, config.Weaknesses(), 1, "there is no preemption")
	require.Len(t, fdbelection.RecipeConfig().Weaknesses(), 2)
}
