package processtest

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

// Process is a running fdbelect.
type Process struct {
	ID     string
	Cmd    *exec.Cmd
	Stdout SafeBuffer
	Stderr SafeBuffer
	Exited chan struct{} // closed at its end
	code   int           // valid after Exited is closed; -1 if a signal ended it
}

// SafeBuffer is a buffer that may be read while a process writes to it.
type SafeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *SafeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *SafeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// StoreFile returns the path of a store that does not exist yet.
func StoreFile(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "election.db")
}

// Start starts "fdbelect run" on a store file. The process is killed at the end of the test.
func Start(t *testing.T, file, id string, args ...string) *Process {
	t.Helper()
	return StartWith(t, nil, file, id, args...)
}

// StartWith is like Start, but writes the stdout of the process to stdout.
func StartWith(t *testing.T, stdout io.Writer, file, id string, args ...string) *Process {
	t.Helper()
	return StartArgs(t, stdout, id, append([]string{"run", "--store", "file:" + file, "--id", id}, args...)...)
}

// StartArgs starts fdbelect with these arguments. The id only names the process in messages.
func StartArgs(t *testing.T, stdout io.Writer, id string, args ...string) *Process {
	t.Helper()
	return StartCommand(t, stdout, id, exec.Command("fdbelect", args...))
}

// ShellProcess starts a shell in a directory with one command line.
func ShellProcess(t *testing.T, dir, line string) *Process {
	t.Helper()
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir = dir
	return StartCommand(t, nil, "shell", cmd)
}

// StartCommand starts a command that is fdbelect, or that starts it. The id only names the process in
// messages. The process is killed at the end of the test.
func StartCommand(t *testing.T, stdout io.Writer, id string, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{ID: id, Cmd: cmd, Exited: make(chan struct{})}
	p.Cmd.Stdout, p.Cmd.Stderr = &p.Stdout, &p.Stderr
	if stdout != nil {
		p.Cmd.Stdout = stdout
	}
	p.Cmd.WaitDelay = time.Second
	require.NoError(t, p.Cmd.Start())
	go func() {
		defer close(p.Exited)
		var exit *exec.ExitError
		if err := p.Cmd.Wait(); errors.As(err, &exit) {
			p.code = exit.ExitCode()
		}
	}()
	t.Cleanup(func() {
		p.Signal(syscall.SIGKILL)
		<-p.Exited
		if t.Failed() {
			t.Logf("stdout of %s:\n%s", id, &p.Stdout)
			t.Logf("stderr of %s:\n%s", id, &p.Stderr)
		}
	})
	return p
}

// Signal sends a signal to the process.
func (p *Process) Signal(s os.Signal) {
	_ = p.Cmd.Process.Signal(s) // the process may have ended
}

// Wait waits for the end of the process and returns its exit code. It fails the test after
// Patience.
func (p *Process) Wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.Exited:
		return p.code
	case <-time.After(Patience):
		t.Fatalf("%s has not ended\nstdout: %s\nstderr: %s", p.ID, &p.Stdout, &p.Stderr)
		return 0
	}
}

// Patience is how long a test waits for something that should happen soon. Only a test
// that fails waits that long.
const Patience = 20 * time.Second

// Eventually polls until holds returns true. It fails the test after Patience.
func Eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("timed out: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// Says waits until a buffer contains text.
func Says(t *testing.T, b *SafeBuffer, text string) {
	t.Helper()
	Eventually(t, "the output contains "+text, func() bool { return strings.Contains(b.String(), text) })
}

// Observe starts "fdbelect run --observe" on a store file.
func Observe(t *testing.T, file string, args ...string) *Process {
	t.Helper()
	return StartArgs(t, nil, "observer", append([]string{"run", "--store", "file:" + file, "--observe"}, args...)...)
}

// Insist sends SIGINT until the process has ended, and returns its exit code.
func (p *Process) Insist(t *testing.T) int {
	t.Helper()
	Eventually(t, p.ID+" ends", func() bool {
		p.Signal(syscall.SIGINT)
		select {
		case <-p.Exited:
			return true
		default:
			return false
		}
	})
	return p.code
}
