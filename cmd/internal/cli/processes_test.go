package cli_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// process is one "fdbelect run" of its own.
type process struct {
	id     string
	cmd    *exec.Cmd
	stdout safeBuffer
	stderr safeBuffer
	exited chan struct{}
	code   int // once exited; -1 where a signal ended it
}

// safeBuffer may be read while a process writes to it.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// storeFile is the path of a store that is not there yet.
func storeFile(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "election.db")
}

// start runs "fdbelect run" on a store file.
func start(t *testing.T, file, id string, args ...string) *process {
	t.Helper()
	return startWith(t, nil, file, id, args...)
}

// startWith is start with another stdout.
func startWith(t *testing.T, stdout io.Writer, file, id string, args ...string) *process {
	t.Helper()
	return startArgs(t, stdout, id, append([]string{"run", "--store", "file:" + file, "--id", id}, args...)...)
}

// startArgs runs fdbelect; its id is for the test alone.
func startArgs(t *testing.T, stdout io.Writer, id string, args ...string) *process {
	t.Helper()
	return startCommand(t, stdout, id, exec.Command("fdbelect", args...))
}

// shellProcess runs a line of a shell in a directory.
func shellProcess(t *testing.T, dir, line string) *process {
	t.Helper()
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir = dir
	return startCommand(t, nil, "shell", cmd)
}

func startCommand(t *testing.T, stdout io.Writer, id string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{id: id, cmd: cmd, exited: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if stdout != nil {
		p.cmd.Stdout = stdout
	}
	p.cmd.WaitDelay = time.Second
	require.NoError(t, p.cmd.Start())
	go func() {
		defer close(p.exited)
		var exit *exec.ExitError
		if err := p.cmd.Wait(); errors.As(err, &exit) {
			p.code = exit.ExitCode()
		}
	}()
	t.Cleanup(func() {
		p.signal(syscall.SIGKILL)
		<-p.exited
		if t.Failed() {
			t.Logf("stdout of %s:\n%s", id, &p.stdout)
			t.Logf("stderr of %s:\n%s", id, &p.stderr)
		}
	})
	return p
}

func (p *process) signal(s os.Signal) {
	_ = p.cmd.Process.Signal(s) // it may have ended
}

// wait waits for the end of a process, and returns its exit code.
func (p *process) wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.exited:
		return p.code
	case <-time.After(patience):
		t.Fatalf("%s does not end\nstdout: %s\nstderr: %s", p.id, &p.stdout, &p.stderr)
		return 0
	}
}

// patience is how long a test waits for something that ought to come soon. It
// only matters when a test fails.
const patience = 20 * time.Second

// eventually waits until a condition holds that no event tells.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("never came true: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// says waits until a buffer contains text.
func says(t *testing.T, b *safeBuffer, text string) {
	t.Helper()
	eventually(t, "the output contains "+text, func() bool { return strings.Contains(b.String(), text) })
}

// observe runs "fdbelect run --observe" on a store file.
func observe(t *testing.T, file string, args ...string) *process {
	t.Helper()
	return startArgs(t, nil, "observer", append([]string{"run", "--store", "file:" + file, "--observe"}, args...)...)
}

// insist interrupts a process until it has ended, and returns its exit code.
func (p *process) insist(t *testing.T) int {
	t.Helper()
	eventually(t, p.id+" ends", func() bool {
		p.signal(syscall.SIGINT)
		select {
		case <-p.exited:
			return true
		default:
			return false
		}
	})
	return p.code
}
