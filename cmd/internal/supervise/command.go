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
	"github.com/fdbelection/fdbelection/group/member"
)

// Command is the command that run runs while it leads. Work runs it.
type Command struct {
	Args           []string
	Env            []string // variables that name the election
	Stdout, Stderr io.Writer
	Clock          elector.Clock
	Signals        <-chan os.Signal // passed on to the command
	Restart        string           // RestartNever, RestartOnFailure or RestartAlways
	Forced         context.Context  // ends when the command must be killed at once
	// Fence returns an error if the tenure is not the newest any more.
	Fence func(context.Context, *elector.Leadership) error
	// GiveUp has no effect with RestartNever, or if OthersCanLead returns false. Then the
	// command is started again for as long as this process leads.
	GiveUp        GiveUp
	OthersCanLead func() bool // must not wait
	Log           *slog.Logger
	// GuardArgs are the arguments that start a guard. Args follow them.
	GuardArgs []string
}

const (
	// outputDelay is how long processes that the command left behind may keep its output
	// open.
	outputDelay = 100 * time.Millisecond
	// guardTimeout is how long a guard may take to kill the command and report that.
	guardTimeout = time.Second
	// startTimeout is how long a guard may report nothing before it has started a command.
	startTimeout = 10 * time.Second
)

// running is a command that runs. Its methods do not wait.
type running interface {
	done() <-chan ending
	terminate() // sends SIGTERM to the process group
	kill()      // sends SIGKILL to the process group
	// limit lets the guard send SIGKILL at a time on the process clock at the latest, even if
	// this process does not run then. The zero time takes that back.
	limit(at time.Time)
	forward(s os.Signal)
}

// ending says how a command ended.
type ending struct {
	pid int   // zero if it did not start
	err error // nil if it succeeded, otherwise an *Error
	cut bool  // the guard ended it at the deadline or after the end of the supervisor
	// unguarded is true if its guard was killed, and the command with it.
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
	switch {
	case e.pid == 0 && cause == causeAsked: // nothing has happened
		return
	case e.pid == 0:
		log.Warn("command did not start", "status", status, "cause", cause)
		return
	}
	log.Log(context.Background(), level, "command ended", "pid", e.pid, "exit_code", code, "status", status, "cause", cause)
}

// The causes of the end of a command, in the log.
const (
	causeItself    = "it ended by itself"
	causeAsked     = "it was asked to stop"
	causeKilled    = "it was killed, because it did not stop in time"
	causeForced    = "it was killed after a second interrupt"
	causeGuard     = "the guard ended it, because no renewal reached the guard in time"
	causeOrphaned  = "the guard ended it, because run ended without stopping it"
	causeUnstarted = "it could not be started"
	// causeUnguarded also means that the command did not end by itself.
	causeUnguarded = "its guard was killed"
)

// WasKilled reports whether err says that SIGKILL ended the command.
func WasKilled(err error) bool {
	failed, ok := errors.AsType[*Error](err)
	return ok && failed.killed
}

// ErrCut is the error of Work if the guard ended the command although this process still
// led. A renewed deadline did not reach the guard in time.
var ErrCut = errors.New("the guard ended the command, because no renewal reached the guard in time")

// tenure runs the command once during a tenure, until the end of ctx asks it to stop. Nothing in
// its process group outlives the command.
func (c *Command) tenure(ctx context.Context, lead *elector.Leadership) error {
	c.forget()
	log := c.Log.With("term", lead.Term())
	r, err := c.start(lead, log)
	if err != nil {
		return c.notStarted(log, err)
	}
	return c.attend(ctx, lead.LeaseContext(), r, 0, log)
}

// attend waits for the end of a command. Its process group gets SIGTERM when ctx ends, and
// SIGKILL when lease or c.Forced ends, or if drain is not zero, as long after the end of ctx.
func (c *Command) attend(ctx, lease context.Context, r running, drain time.Duration, log *slog.Logger) error {
	stopping, overdue, forced := ctx.Done(), lease.Done(), c.Forced.Done()
	var timer elector.Timer
	defer func() {
		if timer != nil {
			timer.Stop()
		}
	}()
	for {
		select {
		case end := <-r.done():
			if loss, ok := errors.AsType[*member.LossError](context.Cause(ctx)); ok {
				log = log.With("reason", loss.Reason.String())
			}
			end.log(log, c.cause(ctx, end))
			if end.cut && !asked(ctx) {
				return ErrCut
			}
			return end.err
		case <-stopping:
			stopping = nil
			r.terminate()
			if drain > 0 {
				r.limit(c.Clock.Now().Add(drain))
				timer = c.Clock.AfterFunc(drain, r.kill)
			}
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

// cause returns why the command ended. The end of ctx asks the command to stop.
func (c *Command) cause(ctx context.Context, end ending) string {
	switch {
	case end.cut: // also if ctx has ended in the meantime
		return causeGuard
	case end.unguarded:
		return causeUnguarded
	case end.pid == 0 && end.err == nil: // it was asked to stop before it was started
		return causeAsked
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

// notStarted logs that the command could not be started, and returns an *Error.
func (c *Command) notStarted(log *slog.Logger, err error) error {
	end := ending{err: &Error{name: c.Args[0], Code: failure, how: err.Error(), unstarted: true}}
	end.log(log, causeUnstarted)
	return end.err
}

// begun logs the start of the command.
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

// forget drops the signals that arrived while the command did not run.
func (c *Command) forget() {
	for {
		select {
		case <-c.Signals:
		default:
			return
		}
	}
}

// reported turns a guard's report of the end of the command into an *Error, or nil if the
// command succeeded.
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

// asked reports whether ctx has ended, which asks the work to stop.
func asked(ctx context.Context) bool { return ctx.Err() != nil }
