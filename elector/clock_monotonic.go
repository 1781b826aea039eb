package elector

import "time"

// monotonic returns a clock that counts from now on, by Go's monotonic clock.
func monotonic() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}
