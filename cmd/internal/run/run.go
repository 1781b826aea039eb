package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/notify"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/supervise"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

// common are the flags that run and "group run" share, and the command after them.
type common struct {
	session.Place
	id      string
	tags    []string
	preStop time.Duration
	timeout time.Duration
	ready   readyFlags
	// metrics is the address that serves metrics and health. It is empty for none.
	metrics string
	log     logFlags
	command []string
}

// runFlags are the flags of run and the command after them.
type runFlags struct {
	common
	priority  int32
	lease     time.Duration
	grace     time.Duration
	headStart time.Duration
	restart   string
	giveUp    supervise.GiveUp
	once      bool
	observe   bool
	// handOverTo is the successor when run is asked to stop, as in elector.StopAndHandOver.
	handOverTo string

	leaseGiven, graceGiven, headStartGiven bool
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
			if err := f.setCommand(cmd, args); err != nil {
				return err
			}
			f.leaseGiven, f.graceGiven = cmd.Flags().Changed("lease"), cmd.Flags().Changed("grace")
			f.headStartGiven = cmd.Flags().Changed("head-start")
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
	f.addIdentity(flags, "candidate")
	flags.Int32Var(&f.priority, "priority", 0, "a candidate with a strictly higher priority may preempt the leader")
	flags.DurationVar(&f.lease, "lease", fdbelection.DefaultLeaseDuration, "lease of the election, if it does not exist yet")
	flags.DurationVar(&f.grace, "grace", 0, "how long a leader may drain before a preemption, if the election does not exist yet (default: the lease)")
	flags.DurationVar(&f.headStart, "head-start", 0, "how long to leave leadership to the last leader after an outage of the store; 0 claims at once (default: a heartbeat)")
	f.addLimits(flags, "how long to try to resign and unregister at the end")
	flags.Var(choice{&f.restart, []string{supervise.RestartNever, supervise.RestartOnFailure, supervise.RestartAlways}}, "restart",
		"when to start a command again that ended by itself: never, on-failure or always")
	flags.IntVar(&f.giveUp.After, "give-up-after", defaultGiveUp.After,
		"how often the command may fail within --give-up-window before leadership is left to another candidate, if there is one; 0: always start it again")
	flags.DurationVar(&f.giveUp.Window, "give-up-window", defaultGiveUp.Window, "in which time the failures of --give-up-after count")
	f.ready.addFlags(flags)
	f.ready.addLeadUnready(flags)
	flags.BoolVar(&f.once, "once", false, "lead once, then leave and exit")
	flags.StringVar(&f.handOverTo, "hand-over-to", "", "when asked to stop, hand over to the candidate ID, or with PREFIX* to the newest whose id begins with PREFIX; resign if there is none")
	flags.BoolVar(&f.observe, "observe", false, "do not register a candidate; run the command on every change of the leader")
	f.addMetrics(flags, "/metrics, /livez, /readyz and /leaderz")
	f.log.addFlags(flags)
	flags.VisitAll(func(one *pflag.Flag) { session.FromEnvironment(flags, one.Name) })
	return cmd
}

// addIdentity adds the flags that name this process, which is a candidate or a member.
func (f *common) addIdentity(flags *pflag.FlagSet, what string) {
	flags.StringVar(&f.id, "id", "", "unique name of this "+what+" (required)")
	flags.StringArrayVar(&f.tags, "tag", nil, "KEY=VALUE that is listed with the "+what+", such as its address; may be repeated")
}

// addLimits adds the limits of the end.
func (f *common) addLimits(flags *pflag.FlagSet, timeout string) {
	flags.DurationVar(&f.preStop, "pre-stop", 10*time.Second, "how long the command may take to stop; it has less time after a loss")
	flags.DurationVar(&f.timeout, "timeout", 5*time.Second, timeout)
}

// setCommand sets the command, which follows --.
func (f *common) setCommand(cmd *cobra.Command, args []string) error {
	if n := cmd.ArgsLenAtDash(); n > 0 || n < 0 && len(args) > 0 {
		return exit.Usage(fmt.Errorf("%q is not a flag; put the command to run after --", args[0]))
	}
	f.command = args
	return nil
}

// runCandidate campaigns until ctx ends.
func runCandidate(ctx context.Context, p *session.Program, f *runFlags) (err error) {
	manager := notify.FromEnvironment(p.Clock)
	e, err := f.Election()
	if err != nil {
		return err
	}
	opts, err := f.options()
	if err != nil {
		return err
	}
	ready, err := f.readiness(p)
	if err != nil {
		return exit.Usage(err)
	}
	p.EndItself()
	defer supervise.SurviveClosedPipes()()
	log := newRunLog(p, f.log, "election", f.Name, "id", f.id)
	defer func() { err = log.end("run failed", err) }()
	db, err := p.Open(ctx, &f.Place, false, f.timeout)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // every commit is durable already

	if f.Spec == "mem:" {
		log.Warn("mem: is the memory of this process: no other candidate can take part")
	}
	var el *elector.Elector
	var joined atomic.Bool
	transitions := &transitionLog{log: log.Logger, id: f.id, joined: func() {
		f.warnOfConfig(log.Logger, el.ClusterState().Config)
		joined.Store(true)
	}}
	opts.Clock, opts.Callbacks, opts.Permanent, opts.Logger = p.Clock, transitions.callbacks(), func(err error) bool { return fatal(p, err) }, log.ofElector()
	if ready != nil {
		ready.Log = log.Logger
		defer ready.Close()
		opts.Ready, opts.ReadyInterval, opts.ReadyLimit, opts.LeadUnreadyAfter = ready.Ready, f.ready.period, f.ready.limit(), f.ready.leadUnready
	}
	if el, err = elector.New(db, e, opts); err != nil {
		return err
	}
	stop, err := f.serveMetrics(ctx, f.ownMetrics(el), el, log.Logger)
	if err != nil {
		return err
	}
	defer stop()
	defer f.tell(ctx, manager, log.Logger, el, func() (string, bool) { return roleOf(el), joined.Load() })()
	work, done := work(p, f, db, el, log.Logger)
	defer done()
	defer leaveAtOnce(ctx, p, log.Logger, el.Abandon)()
	err = explainEnd(lead(ctx, el, f, log.Logger, work))
	if err != nil && p.Forced.Err() != nil && !supervise.WasKilled(err) {
		return errForced
	}
	return err
}

// requireID returns an error if --id is missing.
func (f *common) requireID(what string) error {
	if f.id != "" {
		return nil
	}
	return exit.Usage(fmt.Errorf("--id is missing: give this %s a unique name, as in --id $(hostname), or set FDBELECT_ID", what))
}

// forcedLeave is how long run tries to leave after a second interrupt.
const forcedLeave = time.Second

// errForced is the error of run if a second interrupt ended it before it could resign and
// unregister.
var errForced = errors.New("a second interrupt ended run before it could leave the election; if it led, its lease runs out by itself")

// leaveAtOnce logs the interrupts until stop is called. It calls abandon one forcedLeave
// after the second one.
func leaveAtOnce(ctx context.Context, p *session.Program, log *slog.Logger, abandon func()) (stop func()) {
	first := whenDone(ctx, func() { log.Info("asked to stop", "cause", context.Cause(ctx)) })
	second := whenDone(p.Forced, func() {
		log.Warn("interrupted again, ending at once")
		p.Clock.AfterFunc(forcedLeave, abandon)
	})
	return func() {
		first()
		second()
	}
}

// whenDone calls f when ctx ends. stop prevents that, or waits for f if it has begun.
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

// explainEnd adds a remedy to the error with which run ends.
func explainEnd(err error) error {
	switch {
	case errors.Is(err, fdbelection.ErrDuplicateID):
		return fmt.Errorf("%w (--id); do not start this one again with the same id", err)
	case errors.Is(err, fdbelection.ErrSharedKeys):
		return session.ExplainSharedKeys(err)
	default:
		return records.WithRemedies(err, "it was not changed")
	}
}

type leadershipWork = func(context.Context, *elector.Leadership) error

// work returns the work of a leader: it runs the command, or waits if there is none.
func work(p *session.Program, f *runFlags, db kv.Database, el *elector.Elector, log *slog.Logger) (work leadershipWork, done func()) {
	if len(f.command) == 0 {
		return func(ctx context.Context, _ *elector.Leadership) error { <-ctx.Done(); return nil }, func() {}
	}
	signals, done := supervise.ForwardedSignals()
	c := &supervise.Command{
		Args: f.command, Env: f.variables(), Stdout: p.Stdout, Stderr: p.Stderr, Clock: p.Clock,
		Signals: signals, Restart: f.restart, Forced: p.Forced, Log: log, GuardArgs: f.log.guardArguments(),
		GiveUp: f.giveUp, OthersCanLead: func() bool { return othersCanLead(f.id, el.ClusterState().Voters) },
		Fence: func(ctx context.Context, lead *elector.Leadership) error { return db.Transact(ctx, lead.Fence) },
	}
	return c.Work, done
}

// othersCanLead reports whether a voter besides this candidate is alive and ready, and does
// not hold off. No clock of another host matters: a delay is over when the list says so.
func othersCanLead(id string, voters []elector.Member) bool {
	return slices.ContainsFunc(voters, func(m elector.Member) bool {
		return m.ID != id && m.Alive && m.Ready() && m.Delay.Rule != string(elector.DelayHoldOff)
	})
}

// lead campaigns and works until ctx ends, or until the work returns by itself. It returns
// the error of work that returned by itself, or that had to be killed when ctx ended. With
// --once it leads for one tenure.
func lead(ctx context.Context, el *elector.Elector, f *runFlags, log *slog.Logger, work leadershipWork) error {
	run, done := handOverAtEnd(ctx, el, f.handOverTo)
	defer done()
	var failed error
	err := el.Run(run, func(tenure context.Context, lead *elector.Leadership) error {
		err := work(tenure, lead)
		switch {
		case ctx.Err() != nil:
			failed = err
			return nil //nolint:nilerr // run ends with this error, and the elector only leaves
		case errors.Is(err, supervise.ErrGaveUp) && !f.once:
			return err // the elector holds off
		case tenure.Err() != nil || errors.Is(err, supervise.ErrCut) || errors.Is(err, supervise.ErrSuperseded):
			if !f.once {
				return err // the elector campaigns again
			}
			failed = fmt.Errorf("%w any more, and --once allows one tenure", fdbelection.ErrNotLeader)
		default:
			failed = err
		}
		return elector.ErrDone
	})
	err = withoutRefusal(log, err)
	if ctx.Err() != nil && err == context.Cause(ctx) { //nolint:errorlint // Run returns this error itself if it did not start
		err = nil
	}
	return errors.Join(failed, err)
}

// variables returns the environment variables that name the election or the group to the command.
func (f *common) variables() []string {
	spec := f.Spec
	if path, ok := strings.CutPrefix(spec, "file:"); ok {
		if absolute, err := filepath.Abs(path); err == nil {
			spec = "file:" + absolute // the command may change its directory
		}
	}
	kind := "election"
	if f.OfGroup {
		kind = "group"
	}
	return []string{session.Variable("store") + "=" + spec, session.Variable("root") + "=" + f.Root, session.Variable(kind) + "=" + f.Name}
}

// fatal reports whether run ends with err. That is an error of the store that no retry can
// fix, an unreadable record, or keys that another election uses.
func fatal(p *session.Program, err error) bool {
	return p.Permanent(err) || errors.Is(err, fdbelection.ErrInvalidState) || errors.Is(err, fdbelection.ErrSharedKeys)
}
