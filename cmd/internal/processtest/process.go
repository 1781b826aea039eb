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

// process is one "fdbelect run" of its own.
type Process struct {
	ID     string
	Cmd    *exec.Cmd
	Stdout SafeBuffer
	Stderr SafeBuffer
	Exited chan struct{}
	code   int // once exited; -1 where a signal ended it
}

// safeBuffer may be read while a process writes to it.
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

// storeFile is the path of a store that is not there yet.
func StoreFile(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "election.db")
}

// start runs "fdbelect run" on a store file.
func Start(t *testing.T, file, id string, args ...string) *Process {
	t.Helper()
	return StartWith(t, nil, file, id, args...)
}

// startWith is start with another stdout.
func StartWith(t *testing.T, stdout io.Writer, file, id string, args ...string) *Process {
	t.Helper()
	return StartArgs(t, stdout, id, append([]string{"run", "--store", "file:" + file, "--id", id}, args...)...)
}

// startArgs runs fdbelect; its id is for the test alone.
func StartArgs(t *testing.T, stdout io.Writer, id string, args ...string) *Process {
	t.Helper()
	return startCommand(t, stdout, id, exec.Command("fdbelect", args...))
}

// shellProcess runs a line of a shell in a directory.
func ShellProcess(t *testing.T, dir, line string) *Process {
	t.Helper()
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir = dir
	return startCommand(t, nil, "shell", cmd)
}

func startCommand(t *testing.T, stdout io.Writer, id string, cmd *exec.Cmd) *Process {
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

func (p *Process) Signal(s os.Signal) {
	_ = p.Cmd.Process.Signal(s) // it may have ended
}

// wait waits for the end of a process, and returns its exit code.
func (p *Process) Wait(t *testing.T) int {
	t.Helper()
	select {
	case <-p.Exited:
		return p.code
	case <-time.After(Patience):
		t.Fatalf("%s does not end\nstdout: %s\nstderr: %s", p.ID, &p.Stdout, &p.Stderr)
		return 0
	}
}

// patience is how long a test waits for something that ought to come soon. It
// only matters when a test fails.
const Patience = 20 * time.Second

// eventually waits until a condition holds that no event tells.
func Eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Patience); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("never came true: %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// says waits until a buffer contains text.
func Says(t *testing.T, b *SafeBuffer, text string) {
	t.Helper()
	Eventually(t, "the output contains "+text, func() bool { return strings.Contains(b.String(), text) })
}

// observe runs "fdbelect run --observe" on a store file.
func Observe(t *testing.T, file string, args ...string) *Process {
	t.Helper()
	return StartArgs(t, nil, "observer", append([]string{"run", "--store", "file:" + file, "--observe"}, args...)...)
}

// insist interrupts a process until it has ended, and returns its exit code.
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
