//go:build unix

package supervise_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
	"github.com/fdbelection/fdbelection/election"
)

// The whole process group ends with the tenure. If it ignores SIGTERM, it is killed.
func TestCommandEndsWithItsGroup(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]int{"willing": 0, "stubborn": 137} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stubborn := code != 0
			args, pids := processtest.Worker(t, stubborn)
			p := processtest.Start(t, processtest.StoreFile(t), "a", append([]string{"--lease", "3s", "--pre-stop", "300ms"}, args...)...)
			ids := pids()
			p.Signal(syscall.SIGTERM)
			asked := time.Now()
			require.Equal(t, code, p.Wait(t))
			for _, id := range ids {
				processtest.Eventually(t, "process "+strconv.Itoa(id)+" has ended", func() bool { return processtest.Gone(id) })
			}
			if stubborn {
				require.GreaterOrEqual(t, time.Since(asked), 300*time.Millisecond)
			}
		})
	}
}

// Processes that a command left behind in its group do not outlive it.
func TestCommandLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "pid")
	p := processtest.Start(t, processtest.StoreFile(t), "a", "--", "sh", "-c", "sleep 1000 >&- 2>&- & echo $! > "+file)
	require.Zero(t, p.Wait(t))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	id, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Kill(id, syscall.SIGKILL) })
	processtest.Eventually(t, "the process that was left behind has ended", func() bool { return processtest.Gone(id) })
}

// The command of a leader that is preempted ends before the command of the next leader
// begins.
func TestCommandEndsBeforeTheNextBegins(t *testing.T) {
	t.Parallel()
	file := processtest.StoreFile(t)
	low, pidsOfLow := processtest.Worker(t, false)
	processtest.Start(t, file, "low", append([]string{"--lease", "2s"}, low...)...)
	first := pidsOfLow()
	high, pidsOfHigh := processtest.Worker(t, false)
	p := processtest.Start(t, file, "high", append([]string{"--lease", "2s", "--priority", "1"}, high...)...)
	pidsOfHigh()
	require.True(t, processtest.Gone(first[0]))
	processtest.Says(t, &p.Stderr, "leader=high term=2")
}

// A leader whose store hangs ends its command before its lease can end, even if the
// command ignores SIGTERM.
func TestCommandEndsWhenTheStoreHangs(t *testing.T) {
	const lease = 2 * time.Second
	file := processtest.StoreFile(t)
	m := processtest.WatchLeader(t, file)
	args, pids := processtest.Worker(t, true)
	p := processtest.Start(t, file, "a", append([]string{"--lease", lease.String()}, args...)...)
	ids := pids()
	first := m.Until("a leads", func(l election.LeaderRecord) bool { return l.ID == "a" })
	last := m.Until("a renews", func(l election.LeaderRecord) bool { return l.Ballot > first.Ballot })
	m.End()
	release := processtest.HoldStore(t, file) // long before the next renewal
	processtest.Eventually(t, "the command was killed", func() bool { return processtest.Gone(ids[0]) })
	require.Less(t, time.Now(), last.LeaseExpiry, "the command ended before the lease")
	processtest.Says(t, &p.Stderr, "reason=\"no renewal was acknowledged in time\"")
	release()
	processtest.Says(t, &p.Stderr, "leader=a term=2")
	pids()
	t.Logf("stderr:\n%s", &p.Stderr)
}

// If the supervisor is killed, the guard ends the process group of the command before the
// lease expires, even if the command ignores SIGTERM.
func TestCommandEndsWithItsSupervisor(t *testing.T) {
	t.Parallel()
	const lease = 2 * time.Second
	file := processtest.StoreFile(t)
	m := processtest.WatchLeader(t, file)
	args, pids := processtest.Worker(t, true)
	p := processtest.Start(t, file, "a", append([]string{"--lease", lease.String()}, args...)...)
	ids := pids()
	m.TakeStall()
	p.Signal(syscall.SIGKILL)
	<-p.Exited
	for _, id := range ids {
		processtest.Eventually(t, "the process has ended", func() bool { return processtest.Gone(id) })
	}
	ended, stall := time.Now(), m.TakeStall()
	last := m.Until("a leads", func(l election.LeaderRecord) bool { return l.ID == "a" })
	require.Less(t, ended, last.LeaseExpiry.Add(stall), "the reads of the monitor were delayed by up to %s", stall)
}
