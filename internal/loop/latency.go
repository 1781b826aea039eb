package loop

import (
	"math"
	"slices"
	"sync/atomic"
	"time"
)

// Latency is a histogram of durations. Its buckets grow by the fourth root of two, which is
// 19 %. This is the form of native histograms in Prometheus (schema 2), and of exponential
// histograms in OpenTelemetry (scale 2, indices one lower).
type Latency struct {
	// Count and Sum are the number of durations and their sum.
	Count uint64
	Sum   time.Duration
	// Buckets counts the durations above 2^((i-1)/4) s and at most 2^(i/4) s as Buckets[i].
	// Empty buckets are missing. The lowest index, LatencyFirst, also has all shorter
	// durations, and the highest one, LatencyLast, all longer ones.
	Buckets map[int]uint64
}

// The indices of the buckets of a Latency: from at most 61 µs to more than 64 s.
const (
	LatencyFirst = -56
	LatencyLast  = 25
)

const latencyBuckets = LatencyLast - LatencyFirst + 1

// latencyBounds are the upper ends of the buckets. The last bucket has none.
var latencyBounds = func() (bounds [latencyBuckets - 1]time.Duration) {
	for i := range bounds {
		bounds[i] = time.Duration(math.Exp2(float64(i+LatencyFirst)/4) * float64(time.Second))
	}
	return bounds
}()

// LatencyCounter counts durations. It is safe for concurrent use, and allocates nothing.
type LatencyCounter struct {
	sum     atomic.Int64
	buckets [latencyBuckets]atomic.Uint64
}

// Add counts a duration.
func (l *LatencyCounter) Add(d time.Duration) {
	first, _ := slices.BinarySearch(latencyBounds[:], d) // whose bound is not below d
	l.sum.Add(int64(d))
	l.buckets[first].Add(1)
}

// Read returns what was counted.
func (l *LatencyCounter) Read() Latency {
	read := Latency{Sum: time.Duration(l.sum.Load()), Buckets: map[int]uint64{}}
	for i := range l.buckets {
		if n := l.buckets[i].Load(); n > 0 {
			read.Buckets[i+LatencyFirst] = n
			read.Count += n
		}
	}
	return read
}
