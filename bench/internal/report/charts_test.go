package report

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDecades: each power of ten has its number, also those at both ends of the axis.
func TestDecades(t *testing.T) {
	labels := func(lowest, highest float64) (all []string) {
		for _, tick := range (decades{}).Ticks(lowest, highest) {
			if tick.Label != "" {
				all = append(all, tick.Label)
			}
		}
		return all
	}
	require.Equal(t, []string{"0.1", "1", "10"}, labels(math.Pow(10, -1), 79))
	require.Equal(t, []string{"1,000", "10,000", "100,000", "1,000,000"}, labels(1000, 1e6))
	require.Equal(t, []string{"10"}, labels(2, 11))
	require.Len(t, (decades{}).Ticks(1, 10), 10)
}
