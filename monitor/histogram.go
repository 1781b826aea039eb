package monitor

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/fdbelection/fdbelection/elector"
)

const (
	// schema is that of elector.Latency: its bounds grow by the fourth root of two.
	schema, perPower = 2, 4
	// The classic buckets end at the powers of two from 1/1024 s to 32 s.
	firstPower, lastPower = -10, 5
)

// histogram is a metric with native and classic buckets.
type histogram struct {
	prometheus.Metric
	classic []*dto.Bucket
}

// newHistogram returns the histogram of a latency.
func newHistogram(desc *prometheus.Desc, l elector.Latency, labels ...string) prometheus.Metric {
	native := make(map[int]int64, len(l.Buckets))
	for i, n := range l.Buckets {
		native[i] = int64(min(n, math.MaxInt64)) //nolint:gosec // it is bounded
	}
	metric, err := prometheus.NewConstNativeHistogram(desc, l.Count, l.Sum.Seconds(), native, nil, 0, schema,
		prometheus.DefNativeHistogramZeroThreshold, time.Time{}, labels...)
	if err != nil {
		return prometheus.NewInvalidMetric(desc, err)
	}
	return &histogram{metric, classic(l)}
}

// classic returns the cumulative classic buckets of a latency.
func classic(l elector.Latency) []*dto.Bucket {
	buckets := make([]*dto.Bucket, 0, lastPower-firstPower+1)
	i, count := elector.LatencyFirst, uint64(0)
	for power := firstPower; power <= lastPower; power++ {
		for ; i <= power*perPower; i++ {
			count += l.Buckets[i]
		}
		cumulative, bound := count, math.Exp2(float64(power))
		buckets = append(buckets, &dto.Bucket{CumulativeCount: &cumulative, UpperBound: &bound})
	}
	return buckets
}

// Write writes both forms.
func (h *histogram) Write(out *dto.Metric) error {
	if err := h.Metric.Write(out); err != nil {
		return err
	}
	out.Histogram.Bucket = h.classic
	out.Histogram.CreatedTimestamp = nil // it is not known
	return nil
}
