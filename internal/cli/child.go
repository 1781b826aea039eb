package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/fdbelection/fdbelection/elector"
)

// child runs the command of "run".
type child struct {
	argv           []string
	place          []string // variables that say where the election is
	stdout, stderr io.Writer
	clock          elector.Clock
	signals        <-chan os.Signal // to pass on
	restart        restartPolicy
	// fence returns an error where a tenure is not the newest any more.
	fence func(context.Context, *elector.Leadership) error
	note  func(string)
}

const (
	// outputDelay is how long what the command left behind may hold its output open.
	outputDelay = 100 * time.Millisecond
	// guardPatience is how long a guard may take to report an end by force.
	guardPatience = time.Second
)

// running is a command that runs. Its methods do not wait.
type running interface {
	done() <-chan ending
	ask()  // it and all of its group to stop
	kill() // all of its group
	forward(s os.Signal)
}

// ending is how a command ended.
type ending struct {
	err error // nil where it did well, else a *commandError
	cut bool  // its guard asked it to stop, and nobody else
}

// errCut says that a guard ended the command although nothing else was known to
// end its tenure: the deadline did not reach it in time.
var errCut = errors.New("the guard ended the command: it was told of no renewal in time")

// tenure runs the command once, under a tenure: its process group is asked to stop
// when ctx ends, and killed when the lease must not be used any more. Nothing of
// the group outlives the command.
func (c *child) tenure(ctx context.Context, lead *elector.Leadership) error {
	c.forget()
	r, err := c.start(lead)
	if err != nil {
		return &commandError{name: c.argv[0], code: exitFailure, how: "it could not be started: " + err.Error()}
	}
	stopping, overdue := ctx.Done(), lead.Lease().Done()
	for {
		select {
		case end := <-r.done():
			if end.cut && !asked(ctx) {
				return errCut
			}
			return end.err
		case <-stopping:
			stopping = nil
			r.ask()
		case <-overdue:
			overdue = nil
			r.kill()
		case s := <-c.signals:
			r.forward(s)
		}
	}
}

// start starts the command, under a guard where the system has one.
func (c *child) start(lead *elector.Leadership) (running, error) {
	env := append(os.Environ(), c.place...)
	env = append(env,
		"FDBELECT_NODE_ID="+lead.Token().ID,
		"FDBELECT_TERM="+strconv.FormatUint(lead.Term(), 10),
		"FDBELECT_BALLOT="+strconv.FormatUint(lead.Ballot(), 10),
		"FDBELECT_TOKEN="+lead.Token().Text(),
	)
	if !guards {
		return c.startDirect(env)
	}
	return c.startGuarded(lead.FollowDeadlines, env)
}

// forget drops signals that came while no command ran.
func (c *child) forget() {
	for {
		select {
		case <-c.signals:
		default:
			return
		}
	}
}

// reported is what a guard has said of the end of the command, as an error of
// run's: nil where it did well.
func (c *child) reported(r report) error {
	e := &commandError{name: c.argv[0], code: exitFailure}
	switch {
	case r.verb == reportExited && r.number == 0:
		return nil
	case r.verb == reportExited:
		e.code, e.how = r.number, "exit status "+strconv.Itoa(r.number)
	case r.verb == reportSignaled:
		e.code, e.how = 128+r.number, "signal: "+syscall.Signal(r.number).String()
	default:
		e.how = "it could not be started: " + r.text
	}
	return e
}

// asked reports whether the work was asked to stop.
func asked(ctx context.Context) bool { return ctx.Err() != nil }
