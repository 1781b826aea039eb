//go:build unix

package supervise

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// startAndWait starts the command in a process group of its own and waits for it. The
// thread that started it stays with it: on Linux the command dies with its parent, and for
// the kernel the parent is the thread.
func startAndWait(cmd *exec.Cmd, started, ended chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	err := cmd.Start()
	started <- err
	if err == nil {
		ended <- cmd.Wait()
	}
}

func terminateGroup(cmd *exec.Cmd) { signalGroup(cmd.Process.Pid, syscall.SIGTERM) }

func killGroup(cmd *exec.Cmd) { signalGroup(cmd.Process.Pid, syscall.SIGKILL) }

// signalGroup sends a signal to a process group. It does nothing if the group is empty.
func signalGroup(group int, s syscall.Signal) {
	syscall.Kill(-group, s) //nolint:errcheck // the group may be empty
}

// A process that is not a child of this one cannot be waited for, only polled.
const (
	groupInterval = 2 * time.Millisecond
	groupLimit    = time.Second // for zombies that their parent does not reap
)

// endGroup kills a process group and returns when it is gone. It waits without a limit for
// processes that are, or become, children of this one.
func endGroup(c elector.Clock, group int) {
	signalGroup(group, syscall.SIGKILL)
	for {
		_, err := syscall.Wait4(-group, nil, 0, nil)
		if err != nil && err != syscall.EINTR {
			break
		}
	}
	for begin := c.Now(); c.Now().Sub(begin) < groupLimit; {
		if syscall.Kill(-group, syscall.SIGKILL) != nil { // no process is left that this one may signal
			return
		}
		_ = clock.Sleep(context.Background(), c, groupInterval) // the context never ends
	}
}

// killedByForce reports whether SIGKILL ended a process.
func killedByForce(state *os.ProcessState) bool {
	status, ok := state.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// exitCodeOf returns the exit code as a shell has it: 128 plus the signal if a signal
// ended the process.
func exitCodeOf(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}
