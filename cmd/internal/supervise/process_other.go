//go:build !unix

package supervise

import (
	"os"
	"os/exec"
)

// Without process groups run can end only the command itself, and only by force.

func startAndWait(cmd *exec.Cmd, started, ended chan<- error) {
	err := cmd.Start()
	started <- err
	if err == nil {
		ended <- cmd.Wait()
	}
}

func terminateGroup(cmd *exec.Cmd) { killGroup(cmd) }

func killGroup(cmd *exec.Cmd) { cmd.Process.Kill() } //nolint:errcheck // the command may have ended

// killedByForce reports false. Here even a stop in time is by force.
func killedByForce(*os.ProcessState) bool { return false }

func exitCodeOf(state *os.ProcessState) int { return state.ExitCode() }
