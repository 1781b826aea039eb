package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/supervise"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

// runFlags are the flags of "run", and the command that follows them.
type runFlags struct {
	session.Place
	id       string
	priority int32
	tags     []string
	lease    time.Duration
	grace    time.Duration
	preStop  time.Duration
	timeout  time.Duration
	restart  string
	once     bool
	observe  bool
	log      logFlags
	command  []string

	leaseGiven, graceGiven bool
}

// Command returns the subcommand "run".
func Command(p *session.Program) *cobra.Command {
	f := runFlags{restart: supervise.RestartNever}
	cmd := &cobra.Command{
		Use:     "run --store STORE --id ID [flags] [-- COMMAND ARG...]",
		Short:   "Campaign for leadership, and run a command only while leading",
		Long:    runHelp,
		Example: runExamples,
		RunE: func(cmd *cobra.Command, args []string) error {
			if n := cmd.ArgsLenAtDash(); n > 0 || n < 0 && len(args) > 0 {
				return exit.Usage(fmt.Errorf("%q is not a flag; put the command after --", args[0]))
			}
			f.command = args
			f.leaseGiven, f.graceGiven = cmd.Flags().Changed("lease"), cmd.Flags().Changed("grace")
			if f.observe {
				if err := f.checkObserver(); err != nil {
					return err
				}
				return observe(cmd.Context(), p, &f)
			}
			return runCandidate(cmd.Context(), p, &f)
		},
	}
	f.AddFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.id, "id", "", "id of this candidate; each process needs its own (required)")
	flags.Int32Var(&f.priority, "priority", 0, "a strictly higher priority may preempt the leader")
	flags.StringArrayVar(&f.tags, "tag", nil, "metadata of the candidate as KEY=VALUE, such as its address; may be repeated")
	flags.DurationVar(&f.lease, "lease", fdbelection.DefaultLeaseDuration, "lease, if the election does not exist yet")
	flags.DurationVar(&f.grace, "grace", 0, "how long a leader may drain for a higher priority, if the election does not exist yet (default: the lease)")
	flags.DurationVar(&f.preStop, "pre-stop", 10*time.Second, "how long the command may take to stop, if the lease allows it")
	flags.DurationVar(&f.timeout, "timeout", 5*time.Second, "how long to try to unregister")
	flags.Var(choice{&f.restart, []string{supervise.RestartNever, supervise.RestartOnFailure, supervise.RestartAlways}}, "restart",
		"whether a command that ends by itself is started again: never, on-failure or always")
	flags.BoolVar(&f.once, "once", false, "lead once, then unregister and exit")
	flags.BoolVar(&f.observe, "observe", false, "do not campaign: run the command at every change of the leader")
	f.log.addFlags(flags)
	flags.VisitAll(func(one *pflag.Flag) { session.FromEnvironment(flags, one.Name) })
	return cmd
}

// runCandidate campaigns until ctx ends.
func runCandidate(ctx context.Context, p *session.Program, f *runFlags) (err error) {
	e, err := f.Election()
	if err != nil {
		return err
	}
	opts, err := f.options()
	if err != nil {
		return err
	}
	p.EndItself()
	defer supervise.SurviveClosedPipes()()
	log := newRunLog(p, f)
	defer func() { err = log.end(err) }()
	db, err := p.Open(ctx, &f.Place, false, f.timeout)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // what was committed is safe

	if f.Spec == "mem:" {
		log.Warn("mem: is the memory of this process, so it can only elect itself")
	}
	var el *elector.Elector
	reporter := &reporter{log: log.Logger, id: f.id, joined: func() {
		f.warnOfConfig(log.Logger, el.ClusterState().Config)
	}}
	opts.Clock, opts.Callbacks, opts.Permanent, opts.Logger = p.Clock, reporter.callbacks(), func(err error) bool { return fatal(p, err) }, log.ofElector()
	if el, err = elector.New(db, e, opts); err != nil {
		return err
	}
	work, done := work(p, f, db, log.Logger)
	defer done()
	defer leaveAtOnce(ctx, p, log.Logger, el.Abandon)()
	err = explainEnd(lead(ctx, el, f.once, work))
	if err != nil && p.Forced.Err() != nil && !supervise.WasKilled(err) {
		return errForced
	}
	return err
}

// forcedLeave is how long run tries to give up leadership after a second interrupt.
const forcedLeave = time.Second

// errForced says that run ended before it had left the election.
var errForced = errors.New("a second interrupt ended run before it could leave the election: if it led, its lease runs out by itself")

// leaveAtOnce logs the interrupts until stop is called, and calls abandon soon after the
// second one.
func leaveAtOnce(ctx context.Context, p *session.Program, log *slog.Logger, abandon func()) (stop func()) {
	first := whenDone(ctx, func() { log.Info("asked to stop", "cause", context.Cause(ctx)) })
	second := whenDone(p.Forced, func() {
		log.Warn("interrupted again: ending at once")
		p.Clock.AfterFunc(forcedLeave, abandon)
	})
	return func() {
		first()
		second()
	}
}

// whenDone calls f when ctx ends. stop waits for an f that has begun.
func whenDone(ctx context.Context, f func()) (stop func()) {
	done := make(chan struct{})
	prevent := context.AfterFunc(ctx, func() {
		defer close(done)
		f()
	})
	return func() {
		if !prevent() {
			<-done
		}
	}
}

// explainEnd adds to the error with which run ends what to do about it.
func explainEnd(err error) error {
	switch {
	case errors.Is(err, fdbelection.ErrDuplicateID):
		return fmt.Errorf("%w; give each process an --id of its own, and do not start this one again", err)
	case errors.Is(err, fdbelection.ErrSharedKeys):
		return session.ExplainSharedKeys(err)
	default:
		return records.WithRemedies(err, "it was not changed")
	}
}

type leadershipWork = func(context.Context, *elector.Leadership) error

// work returns what to do while leading: run the command, or nothing.
func work(p *session.Program, f *runFlags, db kv.Database, log *slog.Logger) (work leadershipWork, done func()) {
	if len(f.command) == 0 {
		return func(ctx context.Context, _ *elector.Leadership) error { <-ctx.Done(); return nil }, func() {}
	}
	signals, done := supervise.ForwardedSignals()
	c := &supervise.Command{
		Args: f.command, Env: f.variables(), Stdout: p.Stdout, Stderr: p.Stderr, Clock: p.Clock,
		Signals: signals, Restart: f.restart, Forced: p.Forced, Log: log, GuardArgs: f.log.guardArguments(),
		Fence: func(ctx context.Context, lead *elector.Leadership) error { return db.Transact(ctx, lead.Fence) },
	}
	return c.Work, done
}

// lead campaigns and works until ctx ends, or until the work returns on its own. In that
// case it returns the error of the work. It also returns the error of work that had to be
// killed when ctx ended. With once, it leads for one tenure.
func lead(ctx context.Context, el *elector.Elector, once bool, work leadershipWork) error {
	var failed error
	err := el.Run(ctx, func(tenure context.Context, lead *elector.Leadership) error {
		err := work(tenure, lead)
		switch {
		case ctx.Err() != nil:
			failed = err
			return nil
		case tenure.Err() != nil || errors.Is(err, supervise.ErrCut) || errors.Is(err, supervise.ErrSuperseded):
			if !once {
				return err // the elector campaigns again
			}
			failed = fmt.Errorf("%w any more, and --once was given", fdbelection.ErrNotLeader)
		default:
			failed = err
		}
		return elector.ErrDone
	})
	if ctx.Err() != nil && err == context.Cause(ctx) { //nolint:errorlint // exactly this error says that it never began
		err = nil
	}
	return errors.Join(failed, err)
}

// variables tell the command where the election is.
func (f *runFlags) variables() []string {
	spec := f.Spec
	if path, ok := strings.CutPrefix(spec, "file:"); ok {
		if absolute, err := filepath.Abs(path); err == nil {
			spec = "file:" + absolute // the command may change its directory
		}
	}
	return []string{session.Variable("store") + "=" + spec, session.Variable("root") + "=" + f.Root, session.Variable("election") + "=" + f.Name}
}

// fatal reports errors that end run: errors of the store that no retry can fix, records
// that cannot be read, and a path that overlaps with another election.
func fatal(p *session.Program, err error) bool {
	return p.Permanent(err) || errors.Is(err, fdbelection.ErrInvalidState) || errors.Is(err, fdbelection.ErrSharedKeys)
}
