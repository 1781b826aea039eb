package supervise

import "strconv"

// failure is the exit code of run if the command has none, because it did not start.
const failure = 1

// Error says that the command of "run" failed, did not start or was killed.
type Error struct {
	name   string
	Code   int
	how    string // it ended, or why it did not start
	killed bool   // by SIGKILL
	// unstarted: it could not be started.
	unstarted bool
}

func (e *Error) Error() string {
	if e.unstarted {
		return "command " + strconv.Quote(e.name) + " could not be started: " + e.how
	}
	return "command " + strconv.Quote(e.name) + " ended: " + e.how
}

// CommandExitCode returns the exit code with which run ends.
func (e *Error) CommandExitCode() int { return e.Code }
