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

// clocks are those of Go on the same machine.
func (k *kernel) clocks() (wall, awake time.Duration) { return k.wall, k.awake }

// pass lets the time pass, part of it while the machine is suspended.
func (k *kernel) pass(awake, suspended time.Duration) {
	k.awake += awake
	k.boot += awake + suspended
	k.wall += awake + suspended
}

func newKernel() *kernel {
	return &kernel{boot: 90*time.Minute + 7, awake: time.Minute, wall: 500_000 * time.Hour}
}

// TestASuspensionCounts: after a suspension, a process sees how long it took, to the
// nanosecond, although the monotonic clock stood still and the wall clock was set.
func TestASuspensionCounts(t *testing.T) {
	for _, set := range []time.Duration{0, -24 * time.Hour, 24 * time.Hour, -3*time.Hour + 2*tolerance} {
		k := newKernel()
		since := startBoot(k.gettime, k.clocks)
		require.Zero(t, since())
		k.pass(time.Millisecond, 3*time.Hour+998_999_999)
		k.wall += set
		require.Equal(t, 3*time.Hour+999_999_999, since(), set)
		k.pass(1, 0)
		require.Equal(t, 3*time.Hour+time.Second, since(), set)
		require.Equal(t, k.boot, boot(k.gettime), set)
	}
}

// TestAHiddenSuspension: if the wall clock is set back by just the time of a suspension, that
// is seen 10 ms later.
func TestAHiddenSuspension(t *testing.T) {
	k := newKernel()
	since := startBoot(k.gettime, k.clocks)
	k.pass(0, time.Hour)
	k.wall -= time.Hour
	k.pass(longestUnread, 0)
	require.Equal(t, time.Hour+longestUnread, since())
}

// TestASuspensionBetweenReadings: the machine may be suspended between any two readings of the
// clocks. The time that is returned is that of one of them, and the next one is right.
func TestASuspensionBetweenReadings(t *testing.T) {
	for at := range 4 {
		k := newKernel()
		begin := k.boot
		readings := 0
		reading := func() {
			if readings++; readings == at+1 {
				k.pass(0, time.Hour)
			}
		}
		c := &bootClock{
			get: func(id int32, t *unix.Timespec) error { reading(); return k.gettime(id, t) },
			now: func() (wall, awake time.Duration) { reading(); return k.clocks() },
		}
		first := c.read() - begin
		require.Contains(t, []time.Duration{0, time.Hour}, first, at)
		k.pass(time.Microsecond, 0)
		require.Equal(t, k.boot, c.read(), at)
		k.pass(time.Microsecond, 0)
		require.Equal(t, k.boot, c.read(), at)
	}
}

// TestTheClockIsReadRarely: it takes a system call every 10 ms, and never goes back, although a
// reading takes time, and never the same.
func TestTheClockIsReadRarely(t *testing.T) {
	k, calls := newKernel(), 0
	before, after := []time.Duration{900 * time.Microsecond, 0, 5}, []time.Duration{0, 2 * time.Millisecond, 7}
	since := startBoot(func(id int32, t *unix.Timespec) error {
		i := calls % len(before)
		calls++
		k.pass(before[i], 0)
		defer k.pass(after[i], 0)
		return k.gettime(id, t)
	}, k.clocks)
	last := since()
	for range 10_000 {
		k.pass(10*time.Microsecond, 0)
		now := since()
		require.Greater(t, now, last)
		last = now
	}
	require.Less(t, calls, 20)
}

// TestTheClockOfThisMachine: the clock agrees with the kernel.
func TestTheClockOfThisMachine(t *testing.T) {
	earliest := Boot()
	since := start()
	latest := Boot()
	for range 1000 {
		before := Boot()
		now := since()
		after := Boot()
		require.GreaterOrEqual(t, now, before-latest-2*tolerance)
		require.LessOrEqual(t, now, after-earliest+2*tolerance)
	}
}

// TestWithoutABootClock: a sandbox without CLOCK_BOOTTIME has the monotonic clock.
func TestWithoutABootClock(t *testing.T) {
	k := newKernel()
	k.withoutBoot = true
	since := startBoot(k.gettime, k.clocks)
	k.pass(time.Second, 0)
	require.Equal(t, time.Second, since())
	require.Equal(t, k.awake, boot(k.gettime))
}

func BenchmarkClock(b *testing.B) {
	b.Run("kernel", func(b *testing.B) {
		for b.Loop() {
			Boot()
		}
	})
	b.Run("mostly without it", func(b *testing.B) {
		since := start()
		for b.Loop() {
			since()
		}
	})
}
