package figures

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestTimes: the times of a distribution are in milliseconds with three digits, also if they are
// shorter than a microsecond.
func TestTimes(t *testing.T) {
	r := NewRecorder()
	require.Nil(t, r.Times())
	for i := range 100 {
		r.Add(time.Duration(i+1) * 10 * time.Nanosecond)
	}
	r.Add(2 * time.Second)
	r.Add(-time.Second)
	got := r.Times()
	require.EqualValues(t, 102, got.Rounds)
	require.InEpsilon(t, 0.0005, got.P50, 0.02)
	require.InEpsilon(t, 0.001, got.P99, 0.02)
	require.InEpsilon(t, 2000, got.Max, 0.002)
}
