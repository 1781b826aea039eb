//go:build unix && !aix && !netbsd

package clock

import (
	"time"

	"golang.org/x/sys/unix"
)

// Monotonic returns the time on CLOCK_MONOTONIC, which all processes of the
// machine share. On Linux it stops while the machine is suspended.
func Monotonic() time.Duration {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // every system has it
	return time.Duration(t.Nano())
}
