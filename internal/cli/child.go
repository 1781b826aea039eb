package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/fdbelection/fdbelection/elector"
)

// child runs the command of "run", once for each tenure.
type child struct {
	argv           []string
	election       string
	stdout, stderr io.Writer
	stopped        func(error) // told how it ended where it was asked to stop
}

// outputDelay is how long what the command left behind may hold its output open.
const outputDelay = 100 * time.Millisecond

// work runs the command under a tenure: its process group is asked to stop when
// ctx ends, and killed when the lease must not be used any more. Nothing of the
// group outlives the command.
func (c *child) work(ctx context.Context, lead *elector.Leadership) error {
	if asked(ctx) {
		return nil
	}
	cmd := exec.Command(c.argv[0], c.argv[1:]...)
	cmd.Stdout, cmd.Stderr = c.stdout, c.stderr
	cmd.WaitDelay = outputDelay
	cmd.Env = append(os.Environ(),
		"FDBELECT_ELECTION="+c.election,
		"FDBELECT_NODE_ID="+lead.Token().ID,
		"FDBELECT_TERM="+strconv.FormatUint(lead.Term(), 10),
		"FDBELECT_BALLOT="+strconv.FormatUint(lead.Ballot(), 10),
	)
	ended := make(chan error, 1)
	started := make(chan error, 1)
	go startAndWait(cmd, started, ended)
	if err := <-started; err != nil {
		return &commandError{name: c.argv[0], code: exitFailure, how: "it could not be started: " + err.Error()}
	}
	stopping, overdue := ctx.Done(), lead.Lease().Done()
	for {
		select {
		case err := <-ended:
			killGroup(cmd)
			err = c.failure(err)
			if asked(ctx) {
				c.stopped(err)
				return nil
			}
			return err
		case <-stopping:
			stopping = nil
			terminateGroup(cmd)
		case <-overdue:
			overdue = nil
			killGroup(cmd)
		}
	}
}

// asked reports whether the work was asked to stop.
func asked(ctx context.Context) bool { return ctx.Err() != nil }

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
