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

// A second interrupt kills a command that does not stop, and run still resigns. A command
// that had to be killed has its own exit code.
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
	require.Contains(t, o.Stdout, "is vacant", "run has resigned")
}

// A second interrupt also kills the command of run --observe.
func TestSecondInterruptEndsTheCommandOfRunObserve(t *testing.T) {
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

// A second interrupt ends run even if the store hangs. The error says what happens to
// leadership.
func TestSecondInterruptWhileTheStoreHangs(t *testing.T) {
	t.Parallel()
	file := processtest.StoreFile(t)
	p := processtest.Start(t, file, "a", "--lease", "1m", "--timeout", "1m")
	processtest.Says(t, &p.Stderr, "leadership acquired")
	defer processtest.HoldStore(t, file)()
	require.Equal(t, 1, p.Insist(t))
	require.Contains(t, p.Stderr.String(), "a second interrupt ended run before it could leave the election")
}

// The guard ends the command while run is stopped. run logs that when it continues.
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
	require.Equal(t, "the guard ended it, because no renewal reached the guard in time", ended["cause"])
}

// The guard ends the command after run was killed, and logs that.
func TestLogOfACommandAfterRunWasKilled(t *testing.T) {
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
	require.Equal(t, "the guard ended it, because run ended without stopping it", ended["cause"])
}

// A command that could not be started is logged as such, and not as ended.
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

// logOfCommand returns the log records of the start and the end of the command. It also
// checks the fields that every line must have.
func logOfCommand(t *testing.T, p *processtest.Process) (started, ended map[string]any) {
	t.Helper()
	for line := range strings.Lines(p.Stderr.String()) {
		if line == "Terminated\n" { // the shell that runs the command prints this
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
