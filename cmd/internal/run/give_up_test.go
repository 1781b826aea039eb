//go:build unix

package run_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
)

// A command that fails again and again costs its process the leadership if there is another
// candidate. Until there is one, it is started again for as long as the process leads.
func TestLeaderGivesUp(t *testing.T) {
	t.Parallel()
	file, r := processtest.StoreFile(t), newRecord(t)
	a := processtest.Start(t, file, "a", append([]string{"--lease", "2s", "--restart", "on-failure", "--give-up-after", "3"},
		r.shell(`echo began >> $0; exit 7`)...)...)
	r.wait(t, "began", "began", "began", "began")
	require.NotContains(t, a.Stderr.String(), "given up", "there is no other candidate")

	work, pids := processtest.Worker(t, false)
	b := processtest.Start(t, file, "b", append([]string{"--restart", "on-failure"}, work...)...)
	processtest.Says(t, &a.Stderr, `level=WARN msg="command failed too often, leadership is given up" election=default id=a term=1 failures=3 window=5m0s`)
	pids()
	processtest.Says(t, &b.Stderr, "leader=b term=2")
	processtest.Says(t, &a.Stderr, "leader=b term=2 ballot=")
	starts := len(r.lines(t))
	processtest.Says(t, &b.Stderr, "role=leader")

	// The process that has given up is a candidate and takes over from the next leader.
	b.Signal(syscall.SIGTERM)
	require.Zero(t, b.Wait(t))
	processtest.Eventually(t, "a leads again", func() bool { return len(r.lines(t)) > starts })
	require.Contains(t, a.Stderr.String(), "leader=a term=3")
	a.Signal(syscall.SIGTERM)
	require.Zero(t, a.Wait(t))
}

// With --once a leader that gives up ends with the exit code of its command.
func TestLeaderGivesUpOnce(t *testing.T) {
	t.Parallel()
	file, r := processtest.StoreFile(t), newRecord(t)
	a := processtest.Start(t, file, "a", append([]string{"--lease", "2s", "--once", "--restart", "always", "--give-up-after", "1"},
		r.shell(`echo began >> $0; while [ ! -e $0.go ]; do sleep 0.02; done; exit 7`)...)...)
	r.wait(t, "began")
	b := processtest.Start(t, file, "b")
	processtest.Says(t, &b.Stderr, "leader=a term=1")
	require.NoError(t, os.WriteFile(string(r)+".go", nil, 0o600))
	require.Equal(t, 7, a.Wait(t))
	require.Contains(t, a.Stderr.String(), "the command has failed too often")
	require.Equal(t, 1, strings.Count(a.Stderr.String(), "given up"))
	processtest.Says(t, &b.Stderr, "leader=b term=2")
}
