package elector

import (
	"time"

	"github.com/fdbelection/fdbelection/internal/clock"
)

// Clock is the time of one process. It is safe for concurrent use.
type Clock interface {
	// Now is a clock that nobody sets and that goes on while the machine sleeps,
	// where the system has one. Belief rests on it. Its epoch is of no interest.
	Now() time.Time
	// Wall is the clock of the calendar. Records are stamped with it.
	Wall() time.Time
	// AfterFunc calls f, in a goroutine of its own, when d has passed.
	AfterFunc(d time.Duration, f func()) Timer
}

// Timer is a call to come.
type Timer interface {
	// Stop takes the call back; it reports whether it was still to come.
	Stop() bool
	// Reset has the call come when d has passed from now.
	Reset(d time.Duration) bool
}

// SystemClock returns the clock of the machine. On Linux its Now counts the time
// that the machine was suspended (CLOCK_BOOTTIME); elsewhere it is Go's
// monotonic clock, which may not.
func SystemClock() Clock { return system }

var system = newSystemClock()

type systemClock struct {
	start time.Time // without a monotonic reading, so that sums compare as they are
	since func() time.Duration
}

func newSystemClock() systemClock {
	return systemClock{start: time.Now().Round(0), since: clock.Start()}
}

func (c systemClock) Now() time.Time  { return c.start.Add(c.since()) }
func (c systemClock) Wall() time.Time { return time.Now() }

func (c systemClock) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }
