package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/elector"
	"github.com/fdbelection/fdbelection/kv"
)

// runFlags are the flags of "run", and the command after them.
type runFlags struct {
	place
	id       string
	priority int32
	tags     []string
	lease    time.Duration
	grace    time.Duration
	preStop  time.Duration
	timeout  time.Duration
	restart  restartPolicy
	once     bool
	observe  bool
	command  []string

	leaseGiven, graceGiven bool
}

func (a *app) runCommand() *cobra.Command {
	f := runFlags{restart: restartNever}
	cmd := &cobra.Command{
		Use:     "run --store STORE --id ID [flags] [-- COMMAND ARG...]",
		Short:   "Campaign for leadership, and run a command only while leading",
		Long:    runHelp,
		Example: runExamples,
		RunE: func(cmd *cobra.Command, args []string) error {
			if n := cmd.ArgsLenAtDash(); n > 0 || n < 0 && len(args) > 0 {
				return usage(fmt.Errorf("%q is not a flag; a command to run stands after --", args[0]))
			}
			f.command = args
			f.leaseGiven, f.graceGiven = cmd.Flags().Changed("lease"), cmd.Flags().Changed("grace")
			if f.observe {
				if err := onlyLooksOn(cmd.Flags()); err != nil {
					return err
				}
				return a.observe(cmd.Context(), &f)
			}
			return a.run(cmd.Context(), &f)
		},
	}
	f.addFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.id, "id", "", "name of this candidate, unlike all others' (required)")
	flags.Int32Var(&f.priority, "priority", 0, "a strictly higher priority may take the seat")
	flags.StringArrayVar(&f.tags, "tag", nil, "KEY=VALUE to list with the candidate, such as its address; may be repeated")
	flags.DurationVar(&f.lease, "lease", fdbelection.DefaultLeaseDuration, "lease of an election that is not there yet")
	flags.DurationVar(&f.grace, "grace", 0, "how long a leader may drain for a higher priority, in an election that is not there yet (default: the lease)")
	flags.DurationVar(&f.preStop, "pre-stop", 10*time.Second, "how long the command may take to stop, where there is time")
	flags.DurationVar(&f.timeout, "timeout", 5*time.Second, "how long to try to leave in order")
	flags.Var(&f.restart, "restart", "whether a command that ends of itself is started again: never, on-failure or always")
	flags.BoolVar(&f.once, "once", false, "lead once, then leave and exit")
	flags.BoolVar(&f.observe, "observe", false, "be no candidate: run the command upon every change of the leader")
	return cmd
}

// run campaigns until ctx ends.
func (a *app) run(ctx context.Context, f *runFlags) error {
	e, err := f.resolve()
	if err != nil {
		return err
	}
	opts, err := f.options()
	if err != nil {
		return err
	}
	db, err := a.open(ctx, &f.place, false, f.timeout)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // what was committed is safe

	defer surviveClosedPipes()()
	journal := newJournal(a.stdout, a.stderr, len(f.command) > 0)
	defer journal.close(a.clock)
	if f.spec == "mem:" {
		journal.note("mem: is this process's own memory: it can only elect itself")
	}
	var el *elector.Elector
	account := &account{journal: journal, clock: a.clock, id: f.id, joined: func() {
		if note := f.unlike(el.ClusterState().Config); note != "" {
			journal.note(note)
		}
	}}
	opts.Clock, opts.Callbacks, opts.Permanent = a.clock, account.callbacks(), a.hopeless
	if el, err = elector.New(db, e, opts); err != nil {
		return err
	}
	work, done := a.work(f, db, journal)
	defer done()
	return explainEnd(lead(ctx, el, f.once, work))
}

// explainEnd adds to the error with which run ends what can be done about it.
func explainEnd(err error) error {
	switch {
	case errors.Is(err, fdbelection.ErrDuplicateID):
		return fmt.Errorf("%w; give each process an --id of its own, and do not start this one again", err)
	case errors.Is(err, fdbelection.ErrSharedKeys):
		return explainShared(err)
	default:
		return withRemedies(err, "it was left as it is")
	}
}

type leadershipWork = func(context.Context, *elector.Leadership) error

// work is what is done under leadership: the command, or nothing.
func (a *app) work(f *runFlags, db kv.Database, journal *journal) (work leadershipWork, done func()) {
	if len(f.command) == 0 {
		return func(ctx context.Context, _ *elector.Leadership) error { <-ctx.Done(); return nil }, func() {}
	}
	signals, done := passOn()
	c := &child{
		argv: f.command, place: f.variables(), stdout: a.stdout, stderr: a.stderr, clock: a.clock,
		signals: signals, restart: f.restart, note: journal.note,
		fence: func(ctx context.Context, lead *elector.Leadership) error { return db.Transact(ctx, lead.Fence) },
	}
	return c.work, done
}

// lead campaigns and works until ctx ends, or the work returns although nothing
// asked it to: its error is then that of lead. Once, it leads for one tenure.
func lead(ctx context.Context, el *elector.Elector, once bool, work leadershipWork) error {
	var failed error
	err := el.Run(ctx, func(tenure context.Context, lead *elector.Leadership) error {
		err := work(tenure, lead)
		switch {
		case asked(ctx):
			return nil
		case asked(tenure) || errors.Is(err, errCut) || errors.Is(err, errSuperseded):
			if !once {
				return err // it campaigns again
			}
			failed = fmt.Errorf("%w any more, and it was to lead once", fdbelection.ErrNotLeader)
		default:
			failed = err
		}
		return elector.ErrDone
	})
	if ctx.Err() != nil && err == context.Cause(ctx) { //nolint:errorlint // this very error says that it never began
		err = nil
	}
	return errors.Join(failed, err)
}

// variables say in the environment of the command where the election is.
func (f *runFlags) variables() []string {
	spec := f.spec
	if path, ok := strings.CutPrefix(spec, "file:"); ok {
		if absolute, err := filepath.Abs(path); err == nil {
			spec = "file:" + absolute // wherever the command goes
		}
	}
	return []string{storeVariable + "=" + spec, rootVariable + "=" + f.root, electionVariable + "=" + f.name}
}

// hopeless reports errors with which run ends: those of the store that no retry
// can mend, records that it cannot read, and a path that another election occupies.
func (a *app) hopeless(err error) bool {
	return a.permanent(err) || errors.Is(err, fdbelection.ErrInvalidState) || errors.Is(err, fdbelection.ErrSharedKeys)
}
