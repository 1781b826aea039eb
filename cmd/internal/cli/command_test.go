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

// worker is a command that writes the ids of its process and of a child of its
// own to a file, and then runs on. It ends on SIGTERM unless it is stubborn.
func worker(t *testing.T, stubborn bool) (args []string, pids func() []int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "pids")
	trap := "trap exit TERM"
	if stubborn {
		trap = "trap '' TERM"
	}
	script := trap + `; sleep 1000 & echo $$ $! > ` + file + `.new; mv ` + file + `.new ` + file + `; while :; do sleep 0.05; done`
	return []string{"--", "sh", "-c", script}, func() []int {
		eventually(t, "the worker runs", func() bool { _, err := os.Stat(file); return err == nil })
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NoError(t, os.Remove(file))
		var ids []int
		for field := range strings.FieldsSeq(string(text)) {
			id, err := strconv.Atoi(field)
			require.NoError(t, err)
			ids = append(ids, id)
			t.Cleanup(func() { _ = syscall.Kill(id, syscall.SIGKILL) })
		}
		require.Len(t, ids, 2)
		return ids
	}
}

// gone reports whether a process has ended; a zombie has.
func gone(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return true
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(stat), ") Z ")
}

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

// A second process under the id of a live one ends, with a code of its own, and says
// why. The first one goes on.
func TestSameIDTwice(t *testing.T) {
	file := storeFile(t)
	first := start(t, file, "a", "--lease", "1s")
	says(t, &first.stderr, "role=leader")
	second := start(t, file, "a", "--lease", "1s")
	require.Equal(t, 79, second.wait(t))
	require.Contains(t, second.stderr.String(), "another process is registered with the same id")
	require.Contains(t, second.stderr.String(), "give each process an --id of its own")
	first.signal(syscall.SIGTERM)
	require.Zero(t, first.wait(t))
}

// holdStore locks a store file as another program would, until release is
// called.
func holdStore(t *testing.T, file string) (release func()) {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	require.NoError(t, syscall.Flock(int(f.Fd()), syscall.LOCK_EX))
	return func() { require.NoError(t, syscall.Flock(int(f.Fd()), syscall.LOCK_UN)) }
}

// A leader whose reader has gone away leads on.
func TestClosedPipe(t *testing.T) {
	const lease = 600 * time.Millisecond
	file := storeFile(t)
	m := watchSeat(t, file)
	read, write, err := os.Pipe()
	require.NoError(t, err)
	require.NoError(t, read.Close())
	p := startWith(t, write, file, "a", "--lease", lease.String())
	require.NoError(t, write.Close())
	first := m.until("a leads", func(l election.LeaderRecord) bool { return l.ID == "a" })
	m.until("a renews for two leases", func(l election.LeaderRecord) bool { return l.Ballot > first.Ballot+6 })
	p.signal(syscall.SIGTERM)
	require.Zero(t, p.wait(t))
}
