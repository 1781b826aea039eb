// Package record reads and writes the values and keys of stored records. All records of
// elections and groups have the same shape: a tuple that begins with a format version.
package record

import (
	"errors"
	"math"
	"time"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/subspace"
)

// FormatVersion is the first element of every record. A reader ignores elements after those
// it knows, so a record can get new elements. A change that old readers cannot read at all
// needs a higher version.
const FormatVersion = 1

// MaxCount bounds ballots, terms and counters, so adding one to a stored count never
// overflows.
const MaxCount = 1 << 62

// Record reads the elements of one stored record, and keeps its first fault.
type Record struct {
	subspace.Reader
	kind  string
	key   []byte
	fault string
	newer bool
}

// Open begins to read a value and checks its format version.
func Open(kind string, key, value []byte) Record {
	r, version := open(kind, key, value)
	if version > FormatVersion {
		r.TooNew("was written in a newer format: upgrade this program")
	}
	return r
}

// OpenAny is Open for a record whose first elements are the same in every format version.
func OpenAny(kind string, key, value []byte) Record {
	r, _ := open(kind, key, value)
	return r
}

func open(kind string, key, value []byte) (Record, int64) {
	r := Record{Reader: subspace.NewReader(value), kind: kind, key: key}
	version := r.Int64()
	if r.Err() == nil && version < 1 {
		r.Fail("format version is below 1")
	}
	return r, version
}

// TooNew is Fail for a record that a newer program has written. It is not damaged.
func (r *Record) TooNew(problem string) {
	r.Fail(problem)
	r.newer = true
}

// Fail sets the fault of the record, unless it has one.
func (r *Record) Fail(problem string) {
	if r.Sound() { // faults after a read error mean nothing
		r.fault = problem
	}
}

// Sound reports whether the record has no fault so far.
func (r *Record) Sound() bool { return r.fault == "" && r.Err() == nil }

// Count reads a ballot, term or counter.
func (r *Record) Count() uint64 {
	n := r.Uint64()
	if n >= MaxCount {
		r.Fail("a counter is out of range")
	}
	return n
}

// Duration reads nanoseconds that are not negative.
func (r *Record) Duration() time.Duration {
	d := r.Int64()
	if d < 0 || time.Duration(d) > fdbelection.MaxDuration {
		r.Fail("a duration is negative or longer than " + fdbelection.MaxDuration.String())
	}
	return time.Duration(d)
}

// Time reads nanoseconds since 1970.
func (r *Record) Time() time.Time { return time.Unix(0, r.Int64()).UTC() }

// Int32 reads a number, such as a priority.
func (r *Record) Int32(name string) int32 {
	n := r.Int64()
	if n < math.MinInt32 || n > math.MaxInt32 {
		r.Fail("a " + name + " is out of range")
	}
	return int32(n)
}

// Close returns the fault of the record as an *fdbelection.InvalidStateError, or nil.
func (r *Record) Close() error {
	problem, err := r.fault, r.Err()
	switch {
	case problem == "" && err == nil:
		return nil
	case problem == "":
		problem = err.Error()
	}
	return &fdbelection.InvalidStateError{Key: r.key, Record: r.kind, Problem: problem, Newer: r.newer}
}

// IsNewer reports whether a newer program has written the record.
func IsNewer(err error) bool {
	var state *fdbelection.InvalidStateError
	return errors.As(err, &state) && state.Newer
}

// IsDamaged reports whether no program can read the record.
func IsDamaged(err error) bool {
	return errors.Is(err, fdbelection.ErrInvalidState) && !IsNewer(err)
}

// New begins the value of a record.
func New(size int) []byte {
	return subspace.AppendInt(make([]byte, 0, size), FormatVersion)
}
