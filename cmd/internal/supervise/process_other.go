//go:build !unix

package supervise

import (
	"os"
	"os/exec"
)

// Without process groups run can end only the command itself, and only by force.

// StartAndWait starts the command and waits for its end. It sends the results of Start and
// Wait, which need a buffer of one. If the command did not start, it sends nothing to ended.
func StartAndWait(cmd *exec.Cmd, started, ended chan<- error) {
	err := cmd.Start()
	started <- err
	if err == nil {
		ended <- cmd.Wait()
	}
}

func terminateGroup(cmd *exec.Cmd) { KillGroup(cmd) }

// KillGroup kills the command. It does nothing if the command has ended.
func KillGroup(cmd *exec.Cmd) { cmd.Process.Kill() } //nolint:errcheck // the command may have ended

// killedByForce reports false. Here even a stop in time is by force.
func killedByForce(*os.ProcessState) bool { return false }

func exitCodeOf(state *os.ProcessState) int { return state.ExitCode() }
