package run_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/longtest"
)

// A leader whose disk refuses writes ends its command and stops leading in time, and logs
// why. It leads again once the disk accepts writes.
func TestDiskFails(t *testing.T) {
	longtest.Only(t)
	for name, disk := range map[string]struct {
		// fail makes every write of the process to the file fail, until repair is called.
		fail    func(t *testing.T, file string, p *processtest.Process) (repair func())
		message string
	}{
		"full": {
			fail: func(t *testing.T, _ string, p *processtest.Process) func() {
				t.Helper()
				limit := func(size uint64) {
					rlimit := unix.Rlimit{Cur: size, Max: unix.RLIM_INFINITY}
					require.NoError(t, unix.Prlimit(p.Cmd.Process.Pid, unix.RLIMIT_FSIZE, &rlimit, nil))
				}
				limit(0)
				return func() { limit(unix.RLIM_INFINITY) }
			},
			message: "the disk is full",
		},
		"read-only": {
			fail: func(t *testing.T, file string, _ *processtest.Process) func() {
				t.Helper()
				if err := setImmutable(file, true); err != nil {
					t.Skipf("files cannot be made immutable here: %v", err)
				}
				repair := func() { require.NoError(t, setImmutable(file, false)) }
				t.Cleanup(repair)
				return repair
			},
			message: "operation not permitted",
		},
	} {
		t.Run(name, func(t *testing.T) {
			const lease = 2 * time.Second
			file := processtest.StoreFile(t)
			m := processtest.WatchLeader(t, file)
			args, pids := processtest.Worker(t, true)
			p := processtest.Start(t, file, "a", append([]string{"--lease", lease.String()}, args...)...)
			ids := pids()
			first := m.Until("a leads", func(l election.LeaderRecord) bool { return l.ID == "a" })
			m.Until("a renews", func(l election.LeaderRecord) bool { return l.Ballot > first.Ballot })
			m.End()
			repair := disk.fail(t, file, p)
			failed := time.Now()
			previous, stall := failed, time.Duration(0) // the longest time for which this test itself did not run
			processtest.Eventually(t, "the command was killed", func() bool {
				now := time.Now()
				previous, stall = now, max(stall, now.Sub(previous))
				return processtest.Gone(ids[0])
			})
			require.Less(t, previous.Sub(failed), lease+stall, "the last lease began before the failure")
			processtest.Says(t, &p.Stderr, `reason="no renewal was acknowledged in time"`)
			processtest.Says(t, &p.Stderr, disk.message)
			repair()
			processtest.Says(t, &p.Stderr, "leader=a term=2")
			processtest.Says(t, &p.Stderr, "store available again")
			pids()
		})
	}
}

// setImmutable sets or clears the attribute that makes every write to a file fail.
func setImmutable(file string, immutable bool) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	if err != nil {
		return err
	}
	flags &^= fsImmutable
	if immutable {
		flags |= fsImmutable
	}
	return unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags)
}

// fsImmutable is FS_IMMUTABLE_FL of linux/fs.h.
const fsImmutable = 0x10
