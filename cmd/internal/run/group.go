package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/notify"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/supervise"
	"github.com/fdbelection/fdbelection/group/member"
)

// groupFlags are the flags of "group run".
type groupFlags struct {
	common
	weight, capacity int32
	notify           bool
}

// GroupCommand returns the subcommand "run" of "group".
func GroupCommand(p *session.Program) *cobra.Command {
	var f groupFlags
	cmd := &cobra.Command{
		Use:     "run --store STORE --id ID [flags] [NAME] [-- COMMAND ARG...]",
		Short:   "Lead shards of a group, and run a command for each of them",
		Long:    groupHelp,
		Example: groupExamples,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.setGroup(cmd, args); err != nil {
				return err
			}
			return runMember(cmd.Context(), p, &f)
		},
	}
	f.AddGroupFlags(cmd)
	flags := cmd.Flags()
	f.addIdentity(flags, "member")
	flags.Int32Var(&f.weight, "weight", 1, "share of the shards, relative to that of other members; 0 leads only what is pinned to this one")
	flags.Int32Var(&f.capacity, "capacity", 0, "the most shards that this member leads, and so the most commands; 0: as many as there are")
	flags.BoolVar(&f.notify, "notify", false, "run one command for all shards, and tell it on stdin which ones to work on")
	f.addLimits(flags, "how long to try to release the shards and to leave at the end")
	f.ready.addFlags(flags)
	f.addMetrics(flags, "/metrics, /livez and /readyz")
	f.log.addFlags(flags)
	flags.VisitAll(func(one *pflag.Flag) { session.FromEnvironment(flags, one.Name) })
	return cmd
}

// setGroup sets the command, and the name of the group if it is an argument.
func (f *groupFlags) setGroup(cmd *cobra.Command, args []string) error {
	if n := cmd.ArgsLenAtDash(); n != 1 && (n >= 0 || len(args) != 1) {
		return f.setCommand(cmd, args)
	}
	if f.onCommandLine("group") {
		return exit.Usage(errors.New("the group is named twice; give either NAME or --group"))
	}
	f.Name, f.Argument, f.command = args[0], true, args[1:]
	return nil
}

// killReserve is how long before the end of a drain a command is killed, so that it has ended
// before the shard is released.
const killReserve = time.Second

// options checks the flags and returns the options of the member.
func (f *groupFlags) options() (member.Options, error) {
	var none member.Options
	if err := f.requireID("member"); err != nil {
		return none, err
	}
	tags, err := parseTags(f.Named("tag"), f.tags)
	if err != nil {
		return none, err
	}
	weight := f.weight
	switch {
	case f.weight < 0:
		return none, exit.Usage(fmt.Errorf("%s is %d; it must not be negative", f.Named("weight"), f.weight))
	case f.weight == 0:
		weight = -1
	case f.notify && len(f.command) == 0:
		return none, exit.Usage(fmt.Errorf("%s needs a command, after --", f.Named("notify")))
	case f.notify && !supervise.CanNotify:
		return none, exit.Usage(fmt.Errorf("%s needs a guard, and this system has none", f.Named("notify")))
	}
	if err := f.checkLimits(); err != nil {
		return none, err
	}
	if err := f.checkMetrics(); err != nil {
		return none, err
	}
	if len(f.command) == 0 || f.notify || !strings.Contains(f.command[0], "{}") {
		if err := f.lookUp(); err != nil {
			return none, err
		}
	}
	return member.Options{
		ID: f.id, Weight: weight, Capacity: f.capacity, Tags: tags, DrainLimit: f.preStop + killReserve, LeaveLimit: f.timeout,
	}, nil
}

// runMember takes part in the group until ctx ends.
func runMember(ctx context.Context, p *session.Program, f *groupFlags) (err error) {
	manager := notify.FromEnvironment(p.Clock)
	g, err := f.Group()
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
	log := newRunLog(p, f.log, "group", f.Name, "id", f.id)
	bursts := newBursts(log.Handler(), p.Clock)
	log.Logger = bursts.logger()
	defer func() {
		bursts.end()
		err = log.end("group run failed", err)
	}()
	db, err := p.Open(ctx, &f.Place, false, f.timeout)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // every commit is durable already

	opts.Clock, opts.Permanent, opts.Logger = p.Clock, p.Permanent, ofMember(log.Logger)
	if ready != nil {
		ready.Log = log.Logger
		defer ready.Close()
		opts.Ready, opts.ReadyInterval, opts.ReadyLimit = ready.Ready, f.ready.period, f.ready.limit()
	}
	m, err := member.New(db, g, opts)
	if err != nil {
		return exit.Usage(f.ofCandidate(err))
	}
	stop, err := f.serveMetrics(ctx, f.ownMetrics(m), m, log.Logger)
	if err != nil {
		return err
	}
	defer stop()
	defer f.tell(ctx, manager, log.Logger, m, func() (string, bool) { return roleIn(m) })()
	defer leaveAtOnce(ctx, p, log.Logger, m.Abandon)()
	shards, done := f.runner(ctx, p, log.Logger, m)
	defer done()
	err = explainEnd(take(ctx, m, shards))
	if err != nil && p.Forced.Err() != nil && !supervise.WasKilled(err) {
		return errForcedMember
	}
	return err
}

// errForcedMember is the error of "group run" if a second interrupt ended it before it could leave.
var errForcedMember = errors.New("a second interrupt ended group run before it could leave the group; its shards are free when its lease has passed")

// take takes part in the group until ctx ends, and runs the command for each shard. It returns the
// error of a command that had to be killed when ctx ended.
func take(ctx context.Context, m *member.Member, shards supervise.ShardRunner) error {
	var mu sync.Mutex
	var killed error
	err := m.Run(ctx, func(tenure context.Context, shard *member.Shard) error {
		if shards == nil {
			<-tenure.Done()
			return nil
		}
		err := shards.Work(tenure, shard)
		if ctx.Err() != nil && supervise.WasKilled(err) {
			mu.Lock()
			defer mu.Unlock()
			killed = err
		}
		return err
	})
	if ctx.Err() != nil && err == context.Cause(ctx) { //nolint:errorlint // Run returns this error itself if it did not start
		err = nil
	}
	if shards != nil && killed == nil {
		killed = shards.Close()
	}
	return errors.Join(killed, err)
}

// runner returns what runs the command, or nil if there is none. Call done at the end.
func (f *groupFlags) runner(ctx context.Context, p *session.Program, log *slog.Logger, m *member.Member) (shards supervise.ShardRunner, done func()) {
	if len(f.command) == 0 {
		return nil, func() {}
	}
	guard := []string{"--of-group"}
	if f.notify {
		guard = append(guard, "--streams")
	}
	c := supervise.Command{
		Args: f.command, Env: append(f.variables(), "FDBELECT_NODE_ID="+f.id), Stdout: p.Stdout, Stderr: p.Stderr, Clock: p.Clock,
		Forced: p.Forced, Log: log, GuardArgs: f.log.guardArguments(guard...),
	}
	shards = supervise.NewShards(c, f.preStop)
	if f.notify {
		shards = &supervise.Notifier{Command: c, Drain: f.preStop}
	}
	unsubscribe := m.SubscribeDeadlines(shards.Until)
	signals, release := supervise.ForwardedSignals()
	forwarding, stop := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		for {
			select {
			case one := <-signals:
				shards.Forward(one)
			case <-forwarding.Done():
				return
			}
		}
	}()
	return shards, func() {
		unsubscribe()
		stop()
		release()
	}
}
