package loop

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/testseed"
)

// Each duration is in the bucket that the documentation of Latency says.
func TestLatencyBuckets(t *testing.T) {
	random := testseed.Random(t)
	all := []time.Duration{-time.Second, 0, 1, time.Second, time.Second + 1, time.Second - 1, 64 * time.Second, time.Hour, math.MaxInt64}
	for range 10_000 {
		all = append(all, time.Duration(math.Exp2(random.Float64()*40))) // to 18 minutes
	}
	for _, d := range all {
		var l LatencyCounter
		l.Add(d)
		read := l.Read()
		require.Equal(t, uint64(1), read.Count)
		require.Equal(t, d, read.Sum)
		for i := range read.Buckets {
			const exact = 1e-7 // bounds are whole nanoseconds
			if i > LatencyFirst {
				require.Greater(t, d.Seconds(), math.Exp2(float64(i-1)/4)-exact, "%s in bucket %d", d, i)
			}
			if i < LatencyLast {
				require.LessOrEqual(t, d.Seconds(), math.Exp2(float64(i)/4)+exact, "%s in bucket %d", d, i)
			}
		}
	}
	var l LatencyCounter
	l.Add(time.Second)
	require.Equal(t, map[int]uint64{0: 1}, l.Read().Buckets, "a bound is in its bucket")
}
