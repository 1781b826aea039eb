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

// StartAndWait starts the command in a process group of its own and waits for its end. It
// sends the results of Start and Wait, which need a buffer of one. If the command did not
// start, it sends nothing to ended. The goroutine keeps its thread: on Linux the kernel
// kills the command when the thread that started it ends.
func StartAndWait(cmd *exec.Cmd, started, ended chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	killWithParent(cmd.SysProcAttr)
	err := cmd.Start()
	started <- err
	if err == nil {
		ended <- cmd.Wait()
	}
}

func terminateGroup(cmd *exec.Cmd) { signalGroup(cmd.Process.Pid, syscall.SIGTERM) }

// KillGroup kills the process group of a command that StartAndWait has started. It does not
// wait, and does nothing if the group has ended.
func KillGroup(cmd *exec.Cmd) { signalGroup(cmd.Process.Pid, syscall.SIGKILL) }

// signalGroup sends a signal to a process group.
func signalGroup(group int, s syscall.Signal) {
	syscall.Kill(-group, s) //nolint:errcheck // the group may have ended
}

// A process that is not a child of this one cannot be waited for, only polled.
const (
	groupPoll    = 2 * time.Millisecond
	groupTimeout = time.Second // for dead processes that their parent does not reap
)

// endGroup kills a process group and returns after it has ended. For processes that are or
// become children of this one it waits without a limit, for others up to groupTimeout.
func endGroup(c elector.Clock, group int) {
	signalGroup(group, syscall.SIGKILL)
	for {
		_, err := syscall.Wait4(-group, nil, 0, nil)
		if err != nil && err != syscall.EINTR {
			break
		}
	}
	for begin := c.Now(); c.Now().Sub(begin) < groupTimeout; {
		if syscall.Kill(-group, syscall.SIGKILL) != nil { // the group has ended
			return
		}
		_ = clock.Sleep(context.Background(), c, groupPoll) // the context does not end
	}
}

// killedByForce reports whether SIGKILL ended a process.
func killedByForce(state *os.ProcessState) bool {
	status, ok := state.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// exitCodeOf returns the exit code as a shell does. If a signal ended the process, it is 128
// plus the number of the signal.
func exitCodeOf(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}
