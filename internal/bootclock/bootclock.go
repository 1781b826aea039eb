// Package bootclock is a clock that is never set. On Linux it also counts the
// time that the machine was suspended (CLOCK_BOOTTIME); elsewhere it is Go's
// monotonic clock, which may not.
package bootclock

import "time"

// New returns a clock that counts from now on.
func New() func() time.Duration { return newClock() }

// monotonic returns a clock that counts from now on, by Go's monotonic clock.
func monotonic() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}
