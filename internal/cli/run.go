package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/elector"
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
	command  []string

	leaseGiven, graceGiven bool
}

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run --store STORE --id ID [flags] [-- COMMAND ARG...]",
		Short: "Campaign for leadership, and run a command only while leading",
		Long: `run registers a candidate, campaigns, and prints one line for each change: who
leads, in which term, at which ballot, and what this process is: a candidate, a
follower, the leader, or stopped. While it leads it runs the command, if there is
one, with these variables set:

  FDBELECT_ELECTION  FDBELECT_NODE_ID  FDBELECT_TERM  FDBELECT_BALLOT

FDBELECT_TERM is the fencing token: it grows with every change of leadership, so
whatever the command writes to should refuse a term lower than one it has seen.

When leadership ends, the process group of the command gets SIGTERM, then
SIGKILL, both before the lease can end. On SIGTERM or SIGINT run stops the
command, gives up its seat and leaves.

The lines go to stdout, and to stderr where a command has stdout. The command
reads nothing from stdin.`,
		Example: `  fdbelect run --store file:/tmp/demo.db --id a --priority 1
  fdbelect run --store file:/tmp/demo.db --id b --lease 2s -- ./worker --verbose`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if n := cmd.ArgsLenAtDash(); n > 0 || n < 0 && len(args) > 0 {
				return usage(fmt.Errorf("%q is not a flag; a command to run stands after --", args[0]))
			}
			f.command = args
			f.leaseGiven, f.graceGiven = cmd.Flags().Changed("lease"), cmd.Flags().Changed("grace")
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
	return lead(ctx, el, a.work(f, journal))
}

// work is what is done under leadership: the command, or nothing.
func (a *app) work(f *runFlags, journal *journal) func(context.Context, *elector.Leadership) error {
	if len(f.command) == 0 {
		return func(ctx context.Context, _ *elector.Leadership) error { <-ctx.Done(); return nil }
	}
	c := &child{
		argv: f.command, election: f.name, stdout: a.stdout, stderr: a.stderr,
		stopped: func(err error) {
			if err != nil {
				journal.note(err.Error())
			}
		},
	}
	return c.work
}

// lead campaigns and works until ctx ends, or the work returns although nothing
// asked it to: its error is then that of lead.
func lead(ctx context.Context, el *elector.Elector, work func(context.Context, *elector.Leadership) error) error {
	var failed error
	err := el.Run(ctx, func(ctx context.Context, lead *elector.Leadership) error {
		err := work(ctx, lead)
		if asked(ctx) {
			return nil
		}
		failed = err
		return elector.ErrDone
	})
	if ctx.Err() != nil && err == context.Cause(ctx) { //nolint:errorlint // this very error says that it never began
		err = nil
	}
	return errors.Join(failed, err)
}

// surviveClosedPipes keeps a leader alive whose reader has gone away: it goes on
// unread. A signal that is caught, unlike one that is ignored, is as usual again
// in the command that run starts.
func surviveClosedPipes() (stop func()) {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGPIPE)
	return func() { signal.Stop(caught) }
}

// options checks the flags, and returns what they ask for.
func (f *runFlags) options() (elector.Options, error) {
	var none elector.Options
	if f.id == "" {
		return none, usage(errors.New("--id is missing: give this candidate a name unlike all others', as in --id $(hostname)"))
	}
	tags, err := parseTags(f.tags)
	if err != nil {
		return none, err
	}
	me := election.Registration{Identity: election.Identity{ID: f.id}, Metadata: tags}
	if err := me.Validate(); err != nil {
		return none, usage(err)
	}
	config := elector.ConfigWithLease(f.lease)
	if f.graceGiven {
		config.PreemptionGrace = f.grace
	}
	if err := config.Validate(); err != nil {
		return none, usage(err)
	}
	for _, d := range []struct {
		flag  string
		value time.Duration
	}{{"--pre-stop", f.preStop}, {"--timeout", f.timeout}} {
		if d.value <= 0 {
			return none, usage(fmt.Errorf("%s is %s; it has to be above zero", d.flag, d.value))
		}
	}
	if len(f.command) > 0 {
		if _, err := exec.LookPath(f.command[0]); err != nil {
			return none, usage(fmt.Errorf("the command cannot be run: %w", err))
		}
	}
	return elector.Options{
		NodeID: f.id, Priority: f.priority, Metadata: tags, Config: config,
		DrainLimit: f.preStop, LeaveLimit: f.timeout,
	}, nil
}

// hopeless reports errors with which run ends: those of the store that no retry
// can mend, and records that it cannot read, as long as nobody has mended them.
func (a *app) hopeless(err error) bool {
	return a.permanent(err) || errors.Is(err, fdbelection.ErrInvalidState)
}

func parseTags(tags []string) (map[string]string, error) {
	if len(tags) == 0 {
		return nil, nil
	}
	parsed := make(map[string]string, len(tags))
	for _, tag := range tags {
		key, value, found := strings.Cut(tag, "=")
		if !found || key == "" {
			return nil, usage(fmt.Errorf("--tag %s is not KEY=VALUE", election.SafeText(tag)))
		}
		parsed[key] = value
	}
	return parsed, nil
}

// unlike says where the election that stands is not as the flags ask.
func (f *runFlags) unlike(config fdbelection.Config) string {
	var differs []string
	if f.leaseGiven && config.LeaseDuration != f.lease {
		differs = append(differs, fmt.Sprintf("lease %s (not %s)", config.LeaseDuration, f.lease))
	}
	if f.graceGiven && config.PreemptionGrace != f.grace {
		differs = append(differs, fmt.Sprintf("grace %s (not %s)", config.PreemptionGrace, f.grace))
	}
	if differs == nil {
		return ""
	}
	return "the election is there already, and stays as it is: " + strings.Join(differs, ", ")
}
