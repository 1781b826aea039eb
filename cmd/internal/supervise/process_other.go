//go:build !unix

package supervise

import (
	"os"
	"os/exec"
)

// Without process groups, only the command itself can be ended, and only by force.

func startAndWait(cmd *exec.Cmd, started, ended chan<- error) {
	err := cmd.Start()
	started <- err
	if err == nil {
		ended <- cmd.Wait()
	}
}

func terminateGroup(cmd *exec.Cmd) { killGroup(cmd) }

func killGroup(cmd *exec.Cmd) { cmd.Process.Kill() } //nolint:errcheck // it may have ended already

// killedByForce reports false: a command cannot be asked to stop here, so every end is by
// force.
func killedByForce(*os.ProcessState) bool { return false }

func exitCodeOf(state *os.ProcessState) int { return state.ExitCode() }
