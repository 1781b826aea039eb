package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fdbelection/fdbelection/bench/internal/figures"
)

// Line returns a result on one line.
func Line(r *figures.Result) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-22s %-8s %-11s", r.System, r.Scenario, r.Settings)
	if t := r.Times; t != nil {
		fmt.Fprintf(&b, " n=%d p50=%.2fms p99=%.2fms max=%.2fms", t.Rounds, t.P50, t.P99, t.Max)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Values)) {
		fmt.Fprintf(&b, " | %s: %.4g", name, r.Values[name])
	}
	if r.Why != "" {
		fmt.Fprintf(&b, " | none: %s", r.Why)
	}
	return b.String()
}
