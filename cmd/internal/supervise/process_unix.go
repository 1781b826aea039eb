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

// startAndWait starts the command in a process group of its own, and waits
// for it. The thread that started it stays with it, as on Linux the command is
// to die with its parent, and the kernel takes the thread for the parent.
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

// signalGroup sends a signal to all of a group. That there is nobody left is as
// good.
func signalGroup(group int, s syscall.Signal) {
	syscall.Kill(-group, s) //nolint:errcheck // see above
}

// What is not a child of this process cannot be waited for, only looked at.
const (
	groupLook     = 2 * time.Millisecond
	groupPatience = time.Second // with what is dead already, and that nobody buries
)

// endGroup kills all that is left of a group, and returns when it is gone. For
// what is, or becomes, a child of this process it waits as long as it takes.
func endGroup(c elector.Clock, group int) {
	signalGroup(group, syscall.SIGKILL)
	for {
		_, err := syscall.Wait4(-group, nil, 0, nil)
		if err != nil && err != syscall.EINTR {
			break
		}
	}
	for begin := c.Now(); c.Now().Sub(begin) < groupPatience; {
		if syscall.Kill(-group, syscall.SIGKILL) != nil { // none is left that could be reached
			return
		}
		_ = clock.Sleep(context.Background(), c, groupLook) // nothing ends it
	}
}

// killedByForce reports whether SIGKILL ended a process.
func killedByForce(state *os.ProcessState) bool {
	status, ok := state.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// exitCodeOf is the code as a shell has it: 128 and the signal, for one that
// was killed.
func exitCodeOf(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}
