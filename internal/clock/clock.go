// Package clock reads the clocks of the machine that cannot be set, and waits on
// injected clocks.
package clock

import "time"

// Start returns a function that reports the time since Start was called. On
// Linux that includes the time that the machine was suspended (CLOCK_BOOTTIME).
// Elsewhere it is Go's monotonic clock, which may stop during a suspension.
func Start() func() time.Duration { return start() }

// Wall returns the wall clock.
func Wall() time.Time { return time.Now() }

// startMonotonic is Start on Go's monotonic clock.
func startMonotonic() func() time.Duration {
	begin := time.Now()
	return func() time.Duration { return time.Since(begin) }
}
