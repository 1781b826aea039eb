package supervise

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/fdbelection/fdbelection/elector"
)

// child runs the command of "run".
type Command struct {
	Args           []string
	Env            []string // variables that say where the election is
	Stdout, Stderr io.Writer
	Clock          elector.Clock
	Signals        <-chan os.Signal // to pass on
	Restart        string
	Forced         context.Context // ends when the command has to end at once
	// fence returns an error where a tenure is not the newest any more.
	Fence func(context.Context, *elector.Leadership) error
	Log   *slog.Logger
	// guardArgs are the arguments that start a guard, up to the command.
	GuardArgs []string
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
	pid int
	err error // nil if it succeeded, else a *commandError
	cut bool  // its guard asked it to stop, and nothing else did
	// unguarded says that its guard was killed, so it was killed too.
	unguarded bool
}

// log logs the end of the command, and why it came.
func (e ending) log(log *slog.Logger, cause string) {
	level, code, status := slog.LevelInfo, 0, "exit status 0"
	failed, ok := errors.AsType[*Error](e.err)
	if ok {
		code, status = failed.Code, failed.how
	}
	if cause == causeGuard || cause == causeOrphaned || ok && cause != causeAsked {
		level = slog.LevelWarn
	}
	if e.pid == 0 {
		log.Warn("command did not start", "status", status, "cause", cause)
		return
	}
	log.Log(context.Background(), level, "command ended", "pid", e.pid, "exit_code", code, "status", status, "cause", cause)
}

// Why a command ended.
const (
	causeItself    = "it ended by itself"
	causeAsked     = "it was asked to stop"
	causeKilled    = "it was killed, as it did not stop in time"
	causeForced    = "it was killed, as a second interrupt demanded"
	causeGuard     = "the guard ended it, as the guard was told of no renewal in time"
	causeOrphaned  = "the guard ended it, as run has ended without stopping it"
	causeUnstarted = "it could not be started"
	// With causeUnguarded the command did not end by itself, whatever its status says.
	causeUnguarded = "its guard was killed"
)

// wasKilled reports whether a command had to be ended by force.
func WasKilled(err error) bool {
	failed, ok := errors.AsType[*Error](err)
	return ok && failed.killed
}

// errCut says that a guard ended the command although nothing else was known to
// end its tenure: the deadline did not reach it in time.
var ErrCut = errors.New("the guard ended the command: it was told of no renewal in time")

// tenure runs the command once, under a tenure: its process group is asked to stop
// when ctx ends, and killed when the lease must not be used any more. Nothing of
// the group outlives the command.
func (c *Command) tenure(ctx context.Context, lead *elector.Leadership) error {
	c.forget()
	log := c.Log.With("term", lead.Term())
	r, err := c.start(lead, log)
	if err != nil {
		return c.notStarted(log, err)
	}
	stopping, overdue, forced := ctx.Done(), lead.LeaseContext().Done(), c.Forced.Done()
	for {
		select {
		case end := <-r.done():
			end.log(log, c.cause(ctx, end))
			if end.cut && !asked(ctx) {
				return ErrCut
			}
			return end.err
		case <-stopping:
			stopping = nil
			r.ask()
		case <-overdue:
			overdue = nil
			r.kill()
		case <-forced:
			forced = nil
			r.kill()
		case s := <-c.Signals:
			r.forward(s)
		}
	}
}

// cause says why the command ended, under a context that asks it to stop.
func (c *Command) cause(ctx context.Context, end ending) string {
	switch {
	case end.cut: // although this process may know by now that the tenure is over
		return causeGuard
	case end.unguarded:
		return causeUnguarded
	case end.pid == 0:
		return causeUnstarted
	case !asked(ctx):
		return causeItself
	case WasKilled(end.err) && asked(c.Forced):
		return causeForced
	case WasKilled(end.err):
		return causeKilled
	default:
		return causeAsked
	}
}

// notStarted logs that the command could not be started, and returns that as an error of
// run.
func (c *Command) notStarted(log *slog.Logger, err error) error {
	end := ending{err: &Error{name: c.Args[0], Code: failure, how: err.Error(), unstarted: true}}
	end.log(log, causeUnstarted)
	return end.err
}

// begun logs that the command runs.
func (c *Command) begun(log *slog.Logger, pid int) {
	log.Info("command started", "pid", pid, "command", c.Args[0])
}

// start starts the command, under a guard if the system has one.
func (c *Command) start(lead *elector.Leadership, log *slog.Logger) (running, error) {
	env := append(os.Environ(), c.Env...)
	env = append(env,
		"FDBELECT_NODE_ID="+lead.Token().ID,
		"FDBELECT_TERM="+strconv.FormatUint(lead.Term(), 10),
		"FDBELECT_BALLOT="+strconv.FormatUint(lead.Ballot(), 10),
		"FDBELECT_TOKEN="+lead.Token().Text(),
	)
	if !guards {
		return c.startDirect(env, log)
	}
	return c.startGuarded(lead.SubscribeDeadlines, env, log)
}

// forget drops signals that came while no command ran.
func (c *Command) forget() {
	for {
		select {
		case <-c.Signals:
		default:
			return
		}
	}
}

// reported is what a guard has said of the end of the command, as an error of
// run's: nil where it did well.
func (c *Command) reported(r report) error {
	e := &Error{name: c.Args[0], Code: failure}
	switch {
	case r.verb == reportExited && r.number == 0:
		return nil
	case r.verb == reportExited:
		e.Code, e.how = r.number, "exit status "+strconv.Itoa(r.number)
	case r.verb == reportSignaled:
		e.Code, e.how = 128+r.number, "signal: "+syscall.Signal(r.number).String()
		e.killed = syscall.Signal(r.number) == syscall.SIGKILL
	default:
		e.how, e.unstarted = r.text, true
	}
	return e
}

// asked reports whether the work was asked to stop.
func asked(ctx context.Context) bool { return ctx.Err() != nil }
