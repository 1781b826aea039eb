package cli

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// figures are the times of one operation, in the order in which they were taken.
type figures struct {
	name, what string
	bare       *figures // what it is compared with; nil where it is compared with nothing
	took       []time.Duration
}

// benchResult is what "bench" shows.
type benchResult struct {
	Store       string           `json:"store"`
	Rounds      int              `json:"rounds"`
	Took        duration         `json:"took_seconds"`
	Interrupted bool             `json:"interrupted"`
	Operations  []benchOperation `json:"operations"`
}

// benchOperation is what the runs of one operation took.
type benchOperation struct {
	Name      string   `json:"name"`
	What      string   `json:"what"`
	Count     int      `json:"count"`
	P50       duration `json:"p50_seconds"`
	P90       duration `json:"p90_seconds"`
	P99       duration `json:"p99_seconds"`
	Max       duration `json:"max_seconds"`
	PerSecond float64  `json:"per_second"`
	// Ratio is that of the p50 to the p50 of the bare transaction, and Against names
	// that; nil and empty if there is none to compare with.
	Ratio   *float64 `json:"ratio"`
	Against string   `json:"against"`
}

// summary sorts the times, and returns what there is to say of them.
func (f *figures) summary() benchOperation {
	o := benchOperation{Name: f.name, What: f.what, Count: len(f.took)}
	if f.bare != nil {
		o.Against = f.bare.name
	}
	if o.Count == 0 {
		return o
	}
	sorted := slices.Sorted(slices.Values(f.took))
	var sum time.Duration
	for _, d := range sorted {
		sum += d
	}
	o.P50, o.P90 = duration(percentile(sorted, 50)), duration(percentile(sorted, 90))
	o.P99, o.Max = duration(percentile(sorted, 99)), duration(sorted[o.Count-1])
	if sum > 0 {
		o.PerSecond = rounded(float64(o.Count) / sum.Seconds())
	}
	if f.bare != nil && len(f.bare.took) > 0 {
		if base := percentile(slices.Sorted(slices.Values(f.bare.took)), 50); base > 0 {
			ratio := rounded(float64(percentile(sorted, 50)) / float64(base))
			o.Ratio = &ratio
		}
	}
	return o
}

// rounded leaves away what nobody measured.
func rounded(x float64) float64 { return math.Round(x*100) / 100 }

// table is the result for people to read.
func (r *benchResult) table() table {
	t := table{header: []string{"OPERATION", "COUNT", "P50", "P90", "P99", "MAX", "RATE", "RATIO", "OF"}}
	for _, o := range r.Operations {
		row := []string{o.Name, fmt.Sprint(o.Count), "-", "-", "-", "-", "-", "-", o.What}
		if o.Count > 0 {
			row = []string{
				o.Name, fmt.Sprint(o.Count), shortTime(o.P50), shortTime(o.P90), shortTime(o.P99), shortTime(o.Max),
				fmt.Sprintf("%.0f/s", o.PerSecond), "-", o.What,
			}
		}
		if o.Ratio != nil {
			row[7] = fmt.Sprintf("%.2f", *o.Ratio)
		}
		t.rows = append(t.rows, row)
	}
	return t
}
