package elector

import (
	"time"

	"golang.org/x/sys/unix"
)

// sinceStart returns a clock that counts from now on, suspension included.
func sinceStart() func() time.Duration {
	if _, err := boottime(); err != nil { // a sandbox without that clock
		return monotonic()
	}
	start, _ := boottime()
	return func() time.Duration {
		now, _ := boottime() // it cannot fail after it has succeeded
		return now - start
	}
}

func boottime() (time.Duration, error) {
	var t unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t)
	return time.Duration(t.Nano()), err
}
