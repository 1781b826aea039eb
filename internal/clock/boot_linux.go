package clock

import (
	"time"

	"golang.org/x/sys/unix"
)

// Boot returns the time since the machine booted, including the time that it
// was suspended. All processes of the machine read the same clock.
func Boot() time.Duration { return boot(unix.ClockGettime) }

func start() func() time.Duration { return startBoot(unix.ClockGettime) }

// gettime is the signature of unix.ClockGettime.
type gettime func(id int32, t *unix.Timespec) error

// boot is Boot on the clocks of get. Some sandboxes do not have CLOCK_BOOTTIME.
// There it returns CLOCK_MONOTONIC, which every system has.
func boot(get gettime) time.Duration {
	var t unix.Timespec
	if get(unix.CLOCK_BOOTTIME, &t) != nil {
		_ = get(unix.CLOCK_MONOTONIC, &t)
	}
	return time.Duration(t.Nano())
}

// startBoot is Start on the clocks of get.
func startBoot(get gettime) func() time.Duration {
	begin := boot(get)
	return func() time.Duration { return boot(get) - begin }
}
