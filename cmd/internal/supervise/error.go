package supervise

import "strconv"

// failure is the exit code of run if the command did not start.
const failure = 1

// Error is the error of a command that failed, was killed or could not be started.
type Error struct {
	name   string
	Code   int    // its exit code, or 128 plus the number of the signal
	how    string // the exit status, the signal, or why it could not be started
	killed bool   // by SIGKILL
	// unstarted is true if it could not be started.
	unstarted bool
}

// Error says how the command ended.
func (e *Error) Error() string {
	if e.unstarted {
		return "command " + strconv.Quote(e.name) + " could not be started: " + e.how
	}
	return "command " + strconv.Quote(e.name) + " ended: " + e.how
}

// CommandExitCode returns the exit code of the command. run ends with the same.
func (e *Error) CommandExitCode() int { return e.Code }
