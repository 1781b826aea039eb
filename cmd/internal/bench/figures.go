package bench

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/fdbelection/fdbelection/cmd/internal/output"
)

// figures are the times of one operation, in the order in which they were measured.
type figures struct {
	name, what string
	bare       *figures // to compare with; may be nil
	took       []time.Duration
}

// benchResult is the output of "bench".
type benchResult struct {
	Store       string           `json:"store"`
	Rounds      int              `json:"rounds"`
	Took        output.Duration  `json:"took_seconds"`
	Interrupted bool             `json:"interrupted"`
	Operations  []benchOperation `json:"operations"`
}

// benchOperation is the result for one operation.
type benchOperation struct {
	Name      string          `json:"name"`
	What      string          `json:"what"`
	Count     int             `json:"count"`
	P50       output.Duration `json:"p50_seconds"`
	P90       output.Duration `json:"p90_seconds"`
	P99       output.Duration `json:"p99_seconds"`
	Max       output.Duration `json:"max_seconds"`
	PerSecond float64         `json:"per_second"`
	// Ratio is P50 divided by the P50 of the bare transaction, which Against names. They
	// are nil and empty if there is nothing to compare with.
	Ratio   *float64 `json:"ratio"`
	Against string   `json:"against"`
}

// summary returns the result for one operation.
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
	o.P50, o.P90 = output.Duration(output.Percentile(sorted, 50)), output.Duration(output.Percentile(sorted, 90))
	o.P99, o.Max = output.Duration(output.Percentile(sorted, 99)), output.Duration(sorted[o.Count-1])
	if sum > 0 {
		o.PerSecond = rounded(float64(o.Count) / sum.Seconds())
	}
	if f.bare != nil && len(f.bare.took) > 0 {
		if base := output.Percentile(slices.Sorted(slices.Values(f.bare.took)), 50); base > 0 {
			ratio := rounded(float64(output.Percentile(sorted, 50)) / float64(base))
			o.Ratio = &ratio
		}
	}
	return o
}

// rounded keeps two decimal places: more were not measured.
func rounded(x float64) float64 { return math.Round(x*100) / 100 }

// table returns the result as a table.
func (r *benchResult) table() output.Table {
	t := output.Table{Header: []string{"OPERATION", "COUNT", "P50", "P90", "P99", "MAX", "RATE", "RATIO", "OF"}}
	for _, o := range r.Operations {
		row := []string{o.Name, fmt.Sprint(o.Count), "-", "-", "-", "-", "-", "-", o.What}
		if o.Count > 0 {
			row = []string{
				o.Name, fmt.Sprint(o.Count), output.ShortTime(o.P50), output.ShortTime(o.P90), output.ShortTime(o.P99), output.ShortTime(o.Max),
				fmt.Sprintf("%.0f/s", o.PerSecond), "-", o.What,
			}
		}
		if o.Ratio != nil {
			row[7] = fmt.Sprintf("%.2f", *o.Ratio)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
