//go:build unix

package cli_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/election"
)

// The whole process group ends with the tenure, by force where it must.
func TestCommandEndsWithItsGroup(t *testing.T) {
	for name, code := range map[string]int{"willing": 0, "stubborn": 137} {
		t.Run(name, func(t *testing.T) {
			stubborn := code != 0
			args, pids := worker(t, stubborn)
			p := start(t, storeFile(t), "a", append([]string{"--lease", "3s", "--pre-stop", "300ms"}, args...)...)
			ids := pids()
			p.signal(syscall.SIGTERM)
			asked := time.Now()
			require.Equal(t, code, p.wait(t))
			for _, id := range ids {
				eventually(t, "process "+strconv.Itoa(id)+" has ended", func() bool { return gone(id) })
			}
			if stubborn {
				require.GreaterOrEqual(t, time.Since(asked), 300*time.Millisecond)
			}
		})
	}
}

// What a command has left behind in its group does not outlive it.
func TestCommandLeavesNothingBehind(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	p := start(t, storeFile(t), "a", "--", "sh", "-c", "sleep 1000 >&- 2>&- & echo $! > "+file)
	require.Zero(t, p.wait(t))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	id, err := strconv.Atoi(strings.TrimSpace(string(text)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = syscall.Kill(id, syscall.SIGKILL) })
	eventually(t, "what was left behind has ended", func() bool { return gone(id) })
}

// A leader whose seat goes to a higher priority has its command stopped before
// the other's begins.
func TestCommandEndsBeforeTheNextBegins(t *testing.T) {
	file := storeFile(t)
	low, pidsOfLow := worker(t, false)
	start(t, file, "low", append([]string{"--lease", "2s"}, low...)...)
	first := pidsOfLow()
	high, pidsOfHigh := worker(t, false)
	p := start(t, file, "high", append([]string{"--lease", "2s", "--priority", "1"}, high...)...)
	pidsOfHigh()
	require.True(t, gone(first[0]))
	says(t, &p.stderr, "leader=high term=2")
}

// A leader that is cut off from its store ends its command before its lease can
// end: even a stubborn one, while the store hangs.
func TestCommandEndsWhenTheStoreHangs(t *testing.T) {
	const lease = 2 * time.Second
	file := storeFile(t)
	m := watchSeat(t, file)
	args, pids := worker(t, true)
	p := start(t, file, "a", append([]string{"--lease", lease.String()}, args...)...)
	ids := pids()
	first := m.until("a leads", func(l election.LeaderRecord) bool { return l.ID == "a" })
	last := m.until("a renews", func(l election.LeaderRecord) bool { return l.Ballot > first.Ballot })
	m.end()
	release := holdStore(t, file) // long before the next renewal
	eventually(t, "the command was killed", func() bool { return gone(ids[0]) })
	require.Less(t, time.Now(), last.LeaseExpiry, "before the lease was over")
	says(t, &p.stderr, "reason=\"no renewal was acknowledged in time\"")
	release()
	says(t, &p.stderr, "leader=a term=2")
	pids()
	t.Logf("stderr:\n%s", &p.stderr)
}

// The guard ends the command of a supervisor that was killed, with all of its group,
// even where it does not care for SIGTERM: before the lease is over.
func TestCommandEndsWithItsSupervisor(t *testing.T) {
	const lease = 2 * time.Second
	file := storeFile(t)
	m := watchSeat(t, file)
	args, pids := worker(t, true)
	p := start(t, file, "a", append([]string{"--lease", lease.String()}, args...)...)
	ids := pids()
	m.takeStall()
	p.signal(syscall.SIGKILL)
	<-p.exited
	for _, id := range ids {
		eventually(t, "it has ended", func() bool { return gone(id) })
	}
	ended, stall := time.Now(), m.takeStall()
	last := m.until("a leads", func(l election.LeaderRecord) bool { return l.ID == "a" })
	require.Less(t, ended, last.LeaseExpiry.Add(stall), "the monitor was held up for %s", stall)
}
