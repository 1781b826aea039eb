package clock

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Boot returns the time since the machine booted, including the time that it
// was suspended. All processes of the machine read the same clock.
func Boot() time.Duration { return boot(unix.ClockGettime) }

func start() func() time.Duration { return startBoot(unix.ClockGettime, goClocks()) }

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

// clocks returns CLOCK_REALTIME and CLOCK_MONOTONIC, counted from some instant.
type clocks func() (wall, awake time.Duration)

// goClocks are the clocks of time.Now, which needs no system call.
func goClocks() clocks {
	begin := time.Now()
	return func() (wall, awake time.Duration) {
		now := time.Now()
		return now.Round(0).Sub(begin.Round(0)), now.Sub(begin)
	}
}

// The bounds of bootClock.
const (
	// tolerance is how much two clocks may seem to have moved against each other
	// because they are not read at the same instant. It is shorter than any
	// suspension.
	tolerance = time.Millisecond
	// longestUnread is how long bootClock goes without a system call.
	longestUnread = 10 * time.Millisecond
)

// bootClock reads CLOCK_BOOTTIME, mostly without a system call, which would take
// many times as long as the rest of a check of a lease.
//
// CLOCK_BOOTTIME is CLOCK_MONOTONIC plus the time of all suspensions. The kernel
// adds a suspension to CLOCK_BOOTTIME and to CLOCK_REALTIME at the same instant.
// So there was none while the distance between CLOCK_REALTIME and CLOCK_MONOTONIC
// has stayed the same. If it has changed, for whatever reason, the clock itself is
// read. It is also read every 10 ms, in case the wall clock was set back by just
// the time of a suspension.
type bootClock struct {
	get  gettime
	now  clocks
	last atomic.Pointer[bootReading]
}

// bootReading is a reading of CLOCK_BOOTTIME.
type bootReading struct {
	suspended time.Duration // CLOCK_BOOTTIME minus CLOCK_MONOTONIC
	distance  time.Duration // CLOCK_REALTIME minus CLOCK_MONOTONIC
	awake     time.Duration // CLOCK_MONOTONIC at the reading
}

func (c *bootClock) read() time.Duration {
	wall, awake := c.now()
	last := c.last.Load()
	if last != nil && awake-last.awake < longestUnread && near(wall-awake, last.distance) {
		return awake + last.suspended
	}
	now := boot(c.get)
	wallAfter, awakeAfter := c.now()
	if awakeAfter-awake > tolerance || !near(wallAfter-awakeAfter, wall-awake) {
		if last != nil { // something came between the readings
			now = max(now, awake+last.suspended)
		}
		return now
	}
	next := &bootReading{now - awake, wall - awake, awake}
	if last != nil && near(next.suspended, last.suspended) {
		next.suspended = last.suspended // so that the clock never goes back
	}
	c.last.CompareAndSwap(last, next)
	return awake + next.suspended
}

func near(a, b time.Duration) bool { return max(a-b, b-a) < tolerance }

// startBoot is Start on the clocks of get and now.
func startBoot(get gettime, now clocks) func() time.Duration {
	c := &bootClock{get: get, now: now}
	begin := c.read()
	return func() time.Duration { return c.read() - begin }
}
