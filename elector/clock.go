package elector

import (
	"time"

	"github.com/fdbelection/fdbelection/internal/clock"
)

// Clock is the time of one process. It is safe for concurrent use.
type Clock interface {
	// Now returns the process clock. It is never set, and it goes on while the machine
	// is suspended if the system has such a clock. Leases are measured on it. Its zero
	// has no meaning.
	Now() time.Time
	// Wall returns the wall clock. Records are stamped with it.
	Wall() time.Time
	// AfterFunc calls f in its own goroutine after d has passed.
	AfterFunc(d time.Duration, f func()) Timer
}

// Timer is a pending call of Clock.AfterFunc.
type Timer interface {
	// Stop cancels the call. It reports whether the call was still pending.
	Stop() bool
	// Reset sets the call to d from now.
	Reset(d time.Duration) bool
}

// SystemClock returns the clock of the machine. On Linux its Now counts the time for
// which the machine was suspended (CLOCK_BOOTTIME). On other systems it is Go's monotonic
// clock, which may not count that time.
func SystemClock() Clock { return system }

var system = newSystemClock()

type systemClock struct {
	start time.Time // has no monotonic reading, so sums compare correctly
	since func() time.Duration
}

func newSystemClock() systemClock {
	return systemClock{start: time.Now().Round(0), since: clock.Start()}
}

func (c systemClock) Now() time.Time  { return c.start.Add(c.since()) }
func (c systemClock) Wall() time.Time { return time.Now() }

func (c systemClock) AfterFunc(d time.Duration, f func()) Timer { return time.AfterFunc(d, f) }
