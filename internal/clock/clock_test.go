package clock

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// requireCounts fails unless a clock counts from its creation, at the rate of Go's
// monotonic clock or, over a suspension, faster.
func requireCounts(t *testing.T, create func() func() time.Duration) {
	t.Helper()
	before := time.Now()
	since := create()
	after := time.Now()
	require.LessOrEqual(t, since(), time.Since(before)+time.Minute, "it counts from its creation")
	for last := since(); last < 3*time.Millisecond; {
		now := since()
		require.GreaterOrEqual(t, now, last, "it never goes back")
		require.Less(t, time.Since(before), 10*time.Second, "it stands still")
		last = now
	}
	require.GreaterOrEqual(t, time.Since(before), 3*time.Millisecond, "it is too fast")
	counted := time.Since(after)
	require.GreaterOrEqual(t, since()+time.Microsecond, counted, "it is too slow")
}

func TestStartCounts(t *testing.T) { requireCounts(t, Start) }

func TestStartMonotonicCounts(t *testing.T) { requireCounts(t, startMonotonic) }

// TestClocksAreIndependent: each clock counts from its own start.
func TestClocksAreIndependent(t *testing.T) {
	for _, create := range []func() func() time.Duration{Start, startMonotonic} {
		first, second := create(), create()
		late := second()
		require.GreaterOrEqual(t, first(), late)
	}
}
