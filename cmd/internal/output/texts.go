package output

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fdbelection/fdbelection/election"
)

// Metadata lists metadata by key, safe to print.
func Metadata(tags map[string]string) string {
	parts := make([]string, 0, len(tags))
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		parts = append(parts, Field(key)+"="+Field(tags[key]))
	}
	return strings.Join(parts, " ")
}

// TimeLayout is RFC 3339 with milliseconds. Its texts all have one width.
const TimeLayout = "2006-01-02T15:04:05.000Z07:00"

// Field returns a value for key=value. It quotes a value that could be misread or that
// could control a terminal.
func Field(value string) string {
	safe := election.SafeText(value)
	if safe == value && (value == "" || value == "-" || strings.ContainsAny(value, ` ="`)) {
		return strconv.Quote(value)
	}
	return safe
}

// Age returns a duration in a few characters.
func Age(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	default:
		return d.Round(time.Second).String()
	}
}

// Either returns yes if the condition holds, and no otherwise.
func Either(condition bool, yes, no string) string {
	if condition {
		return yes
	}
	return no
}

// Tenths returns a duration in tenths of a second. Its width stays the same while it
// counts.
func Tenths(d time.Duration) string {
	if d >= 100*time.Second {
		return d.Round(time.Second).String()
	}
	return fmt.Sprintf("%.1fs", max(d, 0).Seconds())
}

// Count returns a number of things, such as "2 voters".
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// Percentile returns the smallest of the sorted times that at least p percent of them do
// not exceed. There must be at least one time.
func Percentile(sorted []time.Duration, p int) time.Duration {
	return sorted[max((len(sorted)*p+99)/100, 1)-1]
}

// ShortTime returns a time with three significant digits.
func ShortTime(d Duration) string {
	us, unit := float64(d)/float64(time.Microsecond), "µs"
	switch {
	case us >= 999_500:
		us, unit = us/1e6, "s"
	case us >= 999.5:
		us, unit = us/1e3, "ms"
	}
	switch {
	case us >= 99.95:
		return fmt.Sprintf("%.0f%s", us, unit)
	case us >= 9.995:
		return fmt.Sprintf("%.1f%s", us, unit)
	default:
		return fmt.Sprintf("%.2f%s", us, unit)
	}
}

// OffBy says how far a clock is ahead of the local clock, or behind it.
func OffBy(ahead time.Duration) string {
	return Age(ahead.Abs()) + Either(ahead > 0, " ahead", " behind")
}
