package supervise

import "strconv"

// failure is the exit code if the command has none: it did not start.
const failure = 1

// commandError says that the command of "run" failed, or had to be killed.
type Error struct {
	name   string
	Code   int
	how    string
	killed bool // by SIGKILL
	// unstarted says that it could not be started, and how is why.
	unstarted bool
}

func (e *Error) Error() string {
	if e.unstarted {
		return "command " + strconv.Quote(e.name) + " could not be started: " + e.how
	}
	return "command " + strconv.Quote(e.name) + " ended: " + e.how
}

// CommandExitCode returns the exit code of the command, which run ends with.
func (e *Error) CommandExitCode() int { return e.Code }
