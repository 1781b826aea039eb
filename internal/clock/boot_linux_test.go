package clock

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// kernel holds the clocks of a machine. Only CLOCK_BOOTTIME counts a suspension.
type kernel struct {
	boot, awake, wall time.Duration
	withoutBoot       bool // there is no CLOCK_BOOTTIME
}

func (k *kernel) gettime(id int32, t *unix.Timespec) error {
	now, known := map[int32]time.Duration{
		unix.CLOCK_BOOTTIME: k.boot, unix.CLOCK_MONOTONIC: k.awake, unix.CLOCK_REALTIME: k.wall,
	}[id]
	if !known || id == unix.CLOCK_BOOTTIME && k.withoutBoot {
		return unix.EINVAL
	}
	*t = unix.NsecToTimespec(now.Nanoseconds())
	return nil
}

// TestASuspensionCounts: after a suspension, a process sees how long it took, to the
// nanosecond, although the monotonic clock stood still and the wall clock was set back.
func TestASuspensionCounts(t *testing.T) {
	k := &kernel{boot: 90*time.Minute + 7, awake: time.Minute, wall: 500_000 * time.Hour}
	since := startBoot(k.gettime)
	require.Zero(t, since())
	k.boot += 3*time.Hour + 999_999_999
	k.awake += time.Millisecond
	k.wall -= 24 * time.Hour
	require.Equal(t, 3*time.Hour+999_999_999, since())
	k.boot++
	require.Equal(t, 3*time.Hour+time.Second, since())
	require.Equal(t, k.boot, boot(k.gettime))
}

// TestWithoutABootClock: a sandbox without CLOCK_BOOTTIME has the monotonic clock.
func TestWithoutABootClock(t *testing.T) {
	k := &kernel{awake: time.Minute, withoutBoot: true}
	since := startBoot(k.gettime)
	k.awake += time.Second
	require.Equal(t, time.Second, since())
	require.Equal(t, k.awake, boot(k.gettime))
}
