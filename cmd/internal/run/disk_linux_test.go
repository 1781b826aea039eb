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

// A leader whose disk refuses to be written to steps down in time, with its
// command, and says why; it comes back by itself when the disk is well again.
func TestDiskFails(t *testing.T) {
	longtest.Only(t)
	for name, disk := range map[string]struct {
		// ill has the disk of a file refuse what the process writes, until it is well.
		ill  func(t *testing.T, file string, p *processtest.Process) (well func())
		says string
	}{
		"full": {
			ill: func(t *testing.T, _ string, p *processtest.Process) func() {
				t.Helper()
				limit := func(size uint64) {
					rlimit := unix.Rlimit{Cur: size, Max: unix.RLIM_INFINITY}
					require.NoError(t, unix.Prlimit(p.Cmd.Process.Pid, unix.RLIMIT_FSIZE, &rlimit, nil))
				}
				limit(0)
				return func() { limit(unix.RLIM_INFINITY) }
			},
			says: "no room",
		},
		"read-only": {
			ill: func(t *testing.T, file string, _ *processtest.Process) func() {
				t.Helper()
				if err := setImmutable(file, true); err != nil {
					t.Skipf("no file can be made immutable here: %v", err)
				}
				well := func() { require.NoError(t, setImmutable(file, false)) }
				t.Cleanup(well)
				return well
			},
			says: "operation not permitted",
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
			well := disk.ill(t, file, p)
			ill := time.Now()
			previous, stall := ill, time.Duration(0) // how much the machine kept even this test waiting
			processtest.Eventually(t, "the command was killed", func() bool {
				now := time.Now()
				previous, stall = now, max(stall, now.Sub(previous))
				return processtest.Gone(ids[0])
			})
			require.Less(t, previous.Sub(ill), lease+stall, "the last lease began before")
			processtest.Says(t, &p.Stderr, `reason="no renewal was acknowledged in time"`)
			processtest.Says(t, &p.Stderr, disk.says)
			well()
			processtest.Says(t, &p.Stderr, "leader=a term=2")
			processtest.Says(t, &p.Stderr, "store available again")
			pids()
		})
	}
}

// setImmutable has a file refuse every change, or lets it be changed again.
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
