package election

import (
	"errors"
	"math"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/subspace"
)

// formatVersion is the first element of every record. A reader ignores elements after those
// it knows, so a record can get new elements. A change that old readers cannot read at all
// needs a higher version.
const formatVersion = 1

// maxCount bounds ballots, terms and counters, so adding one to a stored count never
// overflows.
const maxCount = 1 << 62

// record reads the elements of one stored record, and keeps its first fault.
type record struct {
	subspace.Reader
	kind  string
	key   []byte
	fault string
	newer bool
}

// openRecord begins to read a value and checks its format version.
func openRecord(kind string, key, value []byte) record {
	r := record{Reader: subspace.NewReader(value), kind: kind, key: key}
	switch version := r.Int64(); {
	case r.Err() != nil:
	case version < 1:
		r.fail("format version is below 1")
	case version > formatVersion:
		r.tooNew("was written in a newer format: upgrade this program")
	}
	return r
}

// tooNew is fail for a record that a newer program has written. It is not damaged.
func (r *record) tooNew(problem string) {
	r.fail(problem)
	r.newer = true
}

func (r *record) fail(problem string) {
	if r.fault == "" && r.Err() == nil { // faults after a read error mean nothing
		r.fault = problem
	}
}

// count reads a ballot, term or counter.
func (r *record) count() uint64 {
	n := r.Uint64()
	if n >= maxCount {
		r.fail("a counter is out of range")
	}
	return n
}

// duration reads nanoseconds that are not negative.
func (r *record) duration() time.Duration {
	d := r.Int64()
	if d < 0 || time.Duration(d) > fdbelection.MaxDuration {
		r.fail("a duration is negative or longer than " + fdbelection.MaxDuration.String())
	}
	return time.Duration(d)
}

// time reads nanoseconds since 1970.
func (r *record) time() time.Time { return time.Unix(0, r.Int64()).UTC() }

// int32 reads a priority.
func (r *record) int32() int32 {
	n := r.Int64()
	if n < math.MinInt32 || n > math.MaxInt32 {
		r.fail("a priority is out of range")
	}
	return int32(n)
}

// identity reads an id and an incarnation.
func (r *record) identity() Identity { return Identity{ID: r.Text(), Incarnation: r.UUID()} }

// close returns the fault of the record as an *fdbelection.InvalidStateError, or nil.
func (r *record) close() error {
	problem, err := r.fault, r.Err()
	switch {
	case problem == "" && err == nil:
		return nil
	case problem == "":
		problem = err.Error()
	}
	return &fdbelection.InvalidStateError{Key: r.key, Record: r.kind, Problem: problem, Newer: r.newer}
}

// isNewer reports whether a newer program has written the record.
func isNewer(err error) bool {
	var state *fdbelection.InvalidStateError
	return errors.As(err, &state) && state.Newer
}

// isDamaged reports whether no program can read the record.
func isDamaged(err error) bool {
	return errors.Is(err, fdbelection.ErrInvalidState) && !isNewer(err)
}

// newRecord begins the value of a record.
func newRecord(size int) []byte {
	return subspace.AppendInt(make([]byte, 0, size), formatVersion)
}

func appendIdentity(dst []byte, i Identity) []byte {
	return subspace.AppendUUID(subspace.AppendString(dst, i.ID), i.Incarnation)
}

func appendTime(dst []byte, t time.Time) []byte { return subspace.AppendInt(dst, unixNano(t)) }

// The range of the stored instants, in nanoseconds since 1970: the years 1823 to 2116. A
// duration of a config can be added without overflow.
var (
	earliest = time.Unix(0, -1<<62)
	latest   = time.Unix(0, 1<<62)
)

// unixNano returns the nanoseconds since 1970. For an instant out of range, it returns
// those of the nearest one in range.
func unixNano(t time.Time) int64 {
	switch {
	case t.Before(earliest):
		return -1 << 62
	case t.After(latest):
		return 1 << 62
	default:
		return t.UnixNano()
	}
}

// instant returns t as it would be read back: in range and in UTC, without a monotonic
// reading.
func instant(t time.Time) time.Time { return time.Unix(0, unixNano(t)).UTC() }

// begins is like instant, for the start of a duration. The end of the duration can also be
// stored.
func begins(now time.Time) time.Time {
	return time.Unix(0, min(unixNano(now), 1<<62-int64(fdbelection.MaxDuration))).UTC()
}
