package elector

import "github.com/fdbelection/fdbelection/internal/loop"

// Latency is a histogram of durations. Its buckets grow by the fourth root of two, which is
// 19 %. This is the form of native histograms in Prometheus (schema 2), and of exponential
// histograms in OpenTelemetry (scale 2, indices one lower).
type Latency = loop.Latency

// The indices of the buckets of a Latency: from at most 61 µs to more than 64 s.
const (
	LatencyFirst = loop.LatencyFirst
	LatencyLast  = loop.LatencyLast
)
