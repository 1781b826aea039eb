//go:build unix

package run_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/processtest"
)

// TestSecondInterruptEndsTheCommand: a second interrupt kills a command that takes long to
// stop, and run still gives up leadership. A killed command is a failure.
func TestSecondInterruptEndsTheCommand(t *testing.T) {
	t.Parallel()
	file := processtest.StoreFile(t)
	args, pids := processtest.Worker(t, true)
	p := processtest.Start(t, file, "a", append([]string{"--lease", "1m", "--pre-stop", "1m"}, args...)...)
	ids := pids()
	require.Equal(t, 137, p.Insist(t))
	for _, id := range ids {
		require.True(t, processtest.Gone(id))
	}
	require.Contains(t, p.Stderr.String(), `cause="it was killed after a second interrupt"`)
	o := processtest.Typed(t, "status", "--store", "file:"+file)
	require.Contains(t, o.Stdout, "leadership is vacant", "it has left in order")
}

// TestSecondInterruptEndsTheCommandOfAnObserver: the same for an observer.
func TestSecondInterruptEndsTheCommandOfAnObserver(t *testing.T) {
	t.Parallel()
	file := processtest.StoreFile(t)
	processtest.Start(t, file, "a")
	args, pids := processtest.Worker(t, true)
	p := processtest.Observe(t, file, append([]string{"--pre-stop", "1m"}, args...)...)
	ids := pids()
	require.Equal(t, 137, p.Insist(t))
	for _, id := range ids {
		require.True(t, processtest.Gone(id))
	}
}

// TestSecondInterruptWhileTheStoreHangs: a second interrupt ends run although the store
// hangs, and run says what that means.
func TestSecondInterruptWhileTheStoreHangs(t *testing.T) {
	t.Parallel()
	file := processtest.StoreFile(t)
	p := processtest.Start(t, file, "a", "--lease", "1m", "--timeout", "1m")
	processtest.Says(t, &p.Stderr, "leadership acquired")
	defer processtest.HoldStore(t, file)()
	require.Equal(t, 1, p.Insist(t))
	require.Contains(t, p.Stderr.String(), "a second interrupt ended run before it could leave the election")
}

// TestLogOfACommandThatTheGuardEnded: the guard ends the command while run is stopped.
// When run continues, the log says so.
func TestLogOfACommandThatTheGuardEnded(t *testing.T) {
	t.Parallel()
	file := processtest.StoreFile(t)
	args, pids := processtest.Worker(t, true)
	p := processtest.Start(t, file, "a", append([]string{"--lease", "1s", "--log-format", "json", "--once"}, args...)...)
	ids := pids()
	p.Signal(syscall.SIGSTOP)
	processtest.Eventually(t, "the guard has ended the command", func() bool { return processtest.Gone(ids[0]) })
	p.Signal(syscall.SIGCONT)
	require.Equal(t, 3, p.Wait(t))
	started, ended := logOfCommand(t, p)
	require.EqualValues(t, ids[0], started["pid"])
	require.EqualValues(t, ids[0], ended["pid"])
	require.EqualValues(t, 137, ended["exit_code"])
	require.Equal(t, "WARN", ended["level"])
	require.Equal(t, "the guard ended it because it heard of no renewal in time", ended["cause"])
}

// TestLogOfACommandWhoseRunWasKilled: run is killed, and the guard ends the command and
// logs that.
func TestLogOfACommandWhoseRunWasKilled(t *testing.T) {
	t.Parallel()
	file := processtest.StoreFile(t)
	args, pids := processtest.Worker(t, false)
	p := processtest.Start(t, file, "a", append([]string{"--lease", "1m", "--log-format", "json"}, args...)...)
	ids := pids()
	processtest.Says(t, &p.Stderr, "command started")
	p.Signal(syscall.SIGKILL)
	processtest.Says(t, &p.Stderr, "command ended")
	<-p.Exited
	started, ended := logOfCommand(t, p)
	require.EqualValues(t, ids[0], started["pid"])
	require.EqualValues(t, ids[0], ended["pid"])
	require.Equal(t, started["term"], ended["term"])
	require.Equal(t, "WARN", ended["level"])
	require.Equal(t, "the guard ended it because run ended first", ended["cause"])
}

// TestLogOfACommandThatDoesNotStart: the log does not say that a command ended that could
// not be started.
func TestLogOfACommandThatDoesNotStart(t *testing.T) {
	t.Parallel()
	file := processtest.StoreFile(t)
	program := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.WriteFile(program, []byte("#!/no/such/interpreter\n"), 0o700))
	p := processtest.Start(t, file, "a", "--", program)
	require.Equal(t, 1, p.Wait(t))
	require.Contains(t, p.Stderr.String(), `level=WARN msg="command did not start" election=default id=a term=1 status="`)
	require.Contains(t, p.Stderr.String(), `program\" could not be started: `)
	require.NotContains(t, p.Stderr.String(), "command ended")
}

// logOfCommand returns the records of the start and the end of the command. It checks that
// every line of the log has the common fields.
func logOfCommand(t *testing.T, p *processtest.Process) (started, ended map[string]any) {
	t.Helper()
	for line := range strings.Lines(p.Stderr.String()) {
		if line == "Terminated\n" { // the shell that is the command writes this
			continue
		}
		var record map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &record), line)
		_, err := time.Parse(time.RFC3339Nano, record["time"].(string))
		require.NoError(t, err, line)
		require.NotEmpty(t, record["level"], line)
		require.Equal(t, "default", record["election"], line)
		require.Equal(t, "a", record["id"], line)
		switch record["msg"] {
		case "command started":
			started = record
		case "command ended":
			ended = record
		}
	}
	return started, ended
}
