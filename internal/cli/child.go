package cli

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/fdbelection/fdbelection/internal/cli/campaign"
)

// child runs the command of "run", once for each tenure.
type child struct {
	argv           []string
	election       string
	stdout, stderr io.Writer
}

// outputDelay is how long what the command left behind may hold its output open.
const outputDelay = 100 * time.Millisecond

// work runs the command under a tenure: its process group is asked to stop when
// the tenure is, and killed when it must be gone. Nothing of the group outlives
// the command.
func (c *child) work(t *campaign.Tenure) error {
	select {
	case <-t.Stopping():
		return nil
	default:
	}
	cmd := exec.Command(c.argv[0], c.argv[1:]...)
	cmd.Stdout, cmd.Stderr = c.stdout, c.stderr
	cmd.WaitDelay = outputDelay
	cmd.Env = append(os.Environ(),
		"FDBELECT_ELECTION="+c.election,
		"FDBELECT_NODE_ID="+t.Token().ID,
		"FDBELECT_TERM="+strconv.FormatUint(t.Token().Term, 10),
		"FDBELECT_BALLOT="+strconv.FormatUint(t.Ballot(), 10),
	)
	ended := make(chan error, 1)
	started := make(chan error, 1)
	go startAndWait(cmd, started, ended)
	if err := <-started; err != nil {
		return &commandError{name: c.argv[0], code: exitFailure, how: "it could not be started: " + err.Error()}
	}
	stopping, overdue := t.Stopping(), t.Overdue()
	for {
		select {
		case err := <-ended:
			killGroup(cmd)
			return c.failure(err)
		case <-stopping:
			stopping = nil
			terminateGroup(cmd)
		case <-overdue:
			overdue = nil
			killGroup(cmd)
		}
	}
}

// failure is how the command ended, as an error of run's: nil where it did
// well.
func (c *child) failure(err error) error {
	var exit *exec.ExitError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return nil
	case errors.As(err, &exit):
		return &commandError{name: c.argv[0], code: exitCodeOf(exit.ProcessState), how: exit.String()}
	default:
		return &commandError{name: c.argv[0], code: exitFailure, how: err.Error()}
	}
}
