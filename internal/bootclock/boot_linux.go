package bootclock

import (
	"time"

	"golang.org/x/sys/unix"
)

func newClock() func() time.Duration {
	start, err := boottime()
	if err != nil { // a sandbox without that clock
		return monotonic()
	}
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
