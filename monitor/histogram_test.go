package monitor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/elector"
)

// A duration at a bound is in the bucket that ends there. Longer ones than the last bound are
// only in the count.
func TestClassicBuckets(t *testing.T) {
	buckets := classic(elector.Latency{Count: 6, Sum: time.Minute, Buckets: map[int]uint64{
		elector.LatencyFirst: 1, // at most 61 µs
		-8:                   1, // at most 0.25 s
		-7:                   2, // above 0.25 s
		elector.LatencyLast:  2, // above 64 s
	}})
	counts := map[float64]uint64{}
	for _, b := range buckets {
		counts[b.GetUpperBound()] = b.GetCumulativeCount()
	}
	require.Len(t, counts, 16)
	require.Equal(t, []uint64{1, 1, 2, 4, 4}, []uint64{counts[1.0/1024], counts[0.125], counts[0.25], counts[0.5], counts[32]})
}
