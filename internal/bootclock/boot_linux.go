package bootclock

import (
	"time"

	"golang.org/x/sys/unix"
)

func newClock() func() time.Duration { return clockOf(unix.ClockGettime) }

// clockOf returns a clock by CLOCK_BOOTTIME as gettime reads it.
func clockOf(gettime func(id int32, t *unix.Timespec) error) func() time.Duration {
	read := func() (time.Duration, error) {
		var t unix.Timespec
		err := gettime(unix.CLOCK_BOOTTIME, &t)
		return time.Duration(t.Nano()), err
	}
	start, err := read()
	if err != nil { // a sandbox without that clock
		return monotonic()
	}
	return func() time.Duration {
		now, _ := read() // it cannot fail after it has succeeded
		return now - start
	}
}
