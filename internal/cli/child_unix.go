//go:build unix

package cli

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
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

func terminateGroup(cmd *exec.Cmd) { signalGroup(cmd, syscall.SIGTERM) }

func killGroup(cmd *exec.Cmd) { signalGroup(cmd, syscall.SIGKILL) }

// signalGroup sends a signal to all of the group. That there is nobody left is
// as good.
func signalGroup(cmd *exec.Cmd, s syscall.Signal) {
	syscall.Kill(-cmd.Process.Pid, s) //nolint:errcheck // see above
}

// exitCodeOf is the code as a shell has it: 128 and the signal, for one that
// was killed.
func exitCodeOf(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}
