package bootclock

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// kernel is the clocks of a machine. Only CLOCK_BOOTTIME counts a suspension.
type kernel struct {
	boot, awake, wall time.Duration
	err               error
}

func (k *kernel) gettime(id int32, t *unix.Timespec) error {
	now, known := map[int32]time.Duration{
		unix.CLOCK_BOOTTIME: k.boot, unix.CLOCK_MONOTONIC: k.awake, unix.CLOCK_REALTIME: k.wall,
	}[id]
	if !known {
		return unix.EINVAL
	}
	*t = unix.NsecToTimespec(now.Nanoseconds())
	return k.err
}

// TestASuspensionCounts: a process that was suspended with its machine finds out how
// long that took, to the nanosecond, although the monotonic clock stood and the wall
// clock was set back.
func TestASuspensionCounts(t *testing.T) {
	k := &kernel{boot: 90*time.Minute + 7, awake: time.Minute, wall: 500_000 * time.Hour}
	clock := clockOf(k.gettime)
	require.Zero(t, clock())
	k.boot += 3*time.Hour + 999_999_999
	k.awake += time.Millisecond
	k.wall -= 24 * time.Hour
	require.Equal(t, 3*time.Hour+999_999_999, clock())
	k.boot++
	require.Equal(t, 3*time.Hour+time.Second, clock())
}

// TestWithoutABootClock a process goes by the monotonic clock.
func TestWithoutABootClock(t *testing.T) {
	k := &kernel{err: unix.EINVAL}
	requireCounts(t, func() func() time.Duration { return clockOf(k.gettime) })
}
