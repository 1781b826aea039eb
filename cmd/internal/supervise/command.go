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

// Command runs the command of "run" for one tenure after another.
type Command struct {
	Args           []string // the program and its arguments
	Env            []string // added to the environment
	Stdout, Stderr io.Writer
	Clock          elector.Clock
	Signals        <-chan os.Signal // to forward to the command
	Restart        string           // RestartNever, RestartOnFailure or RestartAlways
	Forced         context.Context  // when it ends, the command is killed
	// Fence returns an error if the tenure is not the newest any more.
	Fence func(context.Context, *elector.Leadership) error
	Log   *slog.Logger
	// GuardArgs are the arguments that start a guard. The command follows them.
	GuardArgs []string
}

const (
	// outputDelay is how long processes that the command left behind may keep its output
	// open.
	outputDelay = 100 * time.Millisecond
	// guardReportLimit is how long a guard may take to report the end of a killed command.
	guardReportLimit = time.Second
)

// running is a command that runs. Its methods do not wait.
type running interface {
	done() <-chan ending
	terminate() // the process group gets SIGTERM
	kill()      // the process group gets SIGKILL
	forward(s os.Signal)
}

// ending is how a command ended.
type ending struct {
	pid int
	err error // nil if it succeeded, else an *Error
	cut bool  // its guard terminated it on its own
	// unguarded says that its guard was killed. The command was killed then, too.
	unguarded bool
}

// log logs the end of the command and its cause.
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

// The causes of the end of a command.
const (
	causeItself    = "it ended by itself"
	causeAsked     = "it was asked to stop"
	causeKilled    = "it was killed because it did not stop in time"
	causeForced    = "it was killed after a second interrupt"
	causeGuard     = "the guard ended it because it heard of no renewal in time"
	causeOrphaned  = "the guard ended it because run ended first"
	causeUnstarted = "it could not be started"
	// causeUnguarded: the command did not end by itself, even if its status says so.
	causeUnguarded = "its guard was killed"
)

// WasKilled reports whether an error says that a command ended by SIGKILL.
func WasKilled(err error) bool {
	failed, ok := errors.AsType[*Error](err)
	return ok && failed.killed
}

// ErrCut says that a guard ended the command, and that the supervisor knew of no reason
// to: the renewed deadline did not reach the guard in time.
var ErrCut = errors.New("the guard ended the command: it heard of no renewal in time")

// tenure runs the command once, under a tenure. It terminates the process group when ctx
// ends, and kills it at the end deadline. Nothing of the group outlives the command.
func (c *Command) tenure(ctx context.Context, lead *elector.Leadership) error {
	c.dropSignals()
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
			if end.cut && ctx.Err() == nil {
				return ErrCut
			}
			return end.err
		case <-stopping:
			stopping = nil
			r.terminate()
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

// cause returns why the command ended. ctx ends when the command has to stop.
func (c *Command) cause(ctx context.Context, end ending) string {
	switch {
	case end.cut: // also if this process knows by now that the tenure has ended
		return causeGuard
	case end.unguarded:
		return causeUnguarded
	case end.pid == 0:
		return causeUnstarted
	case ctx.Err() == nil:
		return causeItself
	case WasKilled(end.err) && c.Forced.Err() != nil:
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

// dropSignals drops the signals that arrived while no command ran.
func (c *Command) dropSignals() {
	for {
		select {
		case <-c.Signals:
		default:
			return
		}
	}
}

// reported returns what a guard reported of the end of the command, as an error of run. It
// is nil if the command succeeded.
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
