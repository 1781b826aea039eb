package elector

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/internal/machine"
)

// Each duration is in the bucket that the documentation of Latency says.
func TestLatencyBuckets(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // not for secrets
	all := []time.Duration{-time.Second, 0, 1, time.Second, time.Second + 1, time.Second - 1, 64 * time.Second, time.Hour, math.MaxInt64}
	for range 10_000 {
		all = append(all, time.Duration(math.Exp2(random.Float64()*40))) // to 18 minutes
	}
	for _, d := range all {
		var l latency
		l.add(d)
		read := l.read()
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
	var l latency
	l.add(time.Second)
	require.Equal(t, map[int]uint64{0: 1}, l.read().Buckets, "a bound is in its bucket")
}

// What a cycle counts allocates nothing, whether or not Stats is called.
func TestCountingAllocatesNothing(t *testing.T) {
	var c counts
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		c.renewals.add(3 * time.Millisecond)
		c.watchEnded(machine.WatchTerm, nil)
		c.fenced.Add(1)
	}))
}
