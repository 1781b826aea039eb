package record

import (
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/subspace"
)

// AppendTime appends nanoseconds since 1970.
func AppendTime(dst []byte, t time.Time) []byte { return subspace.AppendInt(dst, unixNano(t)) }

// The range of the stored instants, in nanoseconds since 1970: the years 1823 to 2116. A
// duration of a config can be added without overflow.
var (
	earliest = time.Unix(0, -1<<62)
	Latest   = time.Unix(0, 1<<62)
)

// unixNano returns the nanoseconds since 1970. For an instant out of range, it returns
// those of the nearest one in range.
func unixNano(t time.Time) int64 {
	switch {
	case t.Before(earliest):
		return -1 << 62
	case t.After(Latest):
		return 1 << 62
	default:
		return t.UnixNano()
	}
}

// Instant returns t as it would be read back: in range and in UTC, without a monotonic
// reading.
func Instant(t time.Time) time.Time { return time.Unix(0, unixNano(t)).UTC() }

// Begins is like Instant, for the start of a duration. The end of the duration can also be
// stored.
func Begins(now time.Time) time.Time {
	return time.Unix(0, min(unixNano(now), 1<<62-int64(fdbelection.MaxDuration))).UTC()
}
