package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/internal/clock"
)

// benchFlags are the flags of "bench".
type benchFlags struct {
	session.Place
	output   output.Format
	duration time.Duration
	count    int
	timeout  time.Duration
}

// maxRounds limits what a bench keeps in memory.
const maxRounds = 1_000_000

// Command returns the subcommand "bench".
func Command(p *session.Program) *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "bench --store STORE [flags]",
		Short: "Measure what an election costs on a store, compared with a bare transaction",
		Long: `bench measures the operations of an election on a store. One client runs them in rounds,
one after the other: a renewal, a follower's heartbeat, a fenced write, a claim, and a
hand-over from one candidate to another that waits with a watch. In the same rounds it
measures a bare read and a bare write. RATIO is the median of an operation divided by that
of the bare transaction. RATE is how often one client can do the operation in a second.

It works in a subspace of its own, "` + benchRoot + `" and a random name below it, and removes
that at the end, even if it is interrupted. It does not change elections, but it slows the
store down while it runs. A store file that does not exist is created, and stays.`,
		Example: `  fdbelect bench --store mem:
  fdbelect bench --store file:/tmp/bench.db --duration 10s
  fdbelect bench --store file:/tmp/bench.db --count 200 --output json`,
		Args: session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(cmd.Flags().Changed("duration"), cmd.Flags().Changed("count")); err != nil {
				return err
			}
			return runBench(cmd.Context(), p, &f)
		},
	}
	f.AddStoreFlag(cmd)
	flags := cmd.Flags()
	flags.DurationVar(&f.duration, "duration", 5*time.Second, "how long to measure")
	flags.IntVar(&f.count, "count", 0, "how many rounds to measure, instead of --duration")
	flags.DurationVar(&f.timeout, "timeout", 5*time.Second, "how long to wait for the store, and for each round")
	f.output.AddFlag(cmd)
	return cmd
}

func (f *benchFlags) check(duration, count bool) error {
	switch {
	case duration && count:
		return exit.Usage(errors.New("give either --duration or --count"))
	case count && (f.count < 1 || f.count > maxRounds):
		return exit.Usage(fmt.Errorf("--count is %d; use 1 to %d", f.count, maxRounds))
	case f.duration <= 0:
		return exit.Usage(fmt.Errorf("--duration is %s; it must be above zero", f.duration))
	case f.timeout <= 0:
		return exit.Usage(fmt.Errorf("--timeout is %s; it must be above zero", f.timeout))
	}
	return nil
}

// runBench measures, removes what it wrote, and shows the result.
func runBench(ctx context.Context, p *session.Program, f *benchFlags) (err error) {
	if err := f.CheckStore(); err != nil {
		return err
	}
	db, err := p.Open(ctx, &f.Place, false, f.timeout)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // what was committed is safe
	load, err := newBenchLoad(p, db)
	if err != nil {
		return err
	}

	begin := p.Clock.Now()
	progress := p.NewProgress()
	rounds, failed := load.run(ctx, f.timeout, func(rounds int) bool {
		passed := p.Clock.Now().Sub(begin)
		f.showProgress(progress, rounds, passed)
		if f.count > 0 {
			return rounds < f.count
		}
		return passed < f.duration && rounds < maxRounds
	})
	took := p.Clock.Now().Sub(begin)
	progress.Done()

	result := benchResult{Store: f.Spec, Rounds: rounds, Took: output.Duration(took), Interrupted: ctx.Err() != nil}
	if result.Interrupted {
		failed = errors.New("the bench was interrupted")
	}
	for _, figures := range load.all() {
		result.Operations = append(result.Operations, figures.summary())
	}
	return errors.Join(clearBench(ctx, p, load, f), p.Show(f.output, &result, result.table), failed)
}

// clearBench removes what the bench wrote, even after an interruption.
func clearBench(ctx context.Context, p *session.Program, load *benchLoad, f *benchFlags) error {
	ctx, cancel := clock.WithTimeout(context.WithoutCancel(ctx), p.Clock, f.timeout)
	defer cancel()
	if err := load.clear(ctx); err != nil {
		return fmt.Errorf("the records of the bench could not be removed: they are in the subspace (%q, %q) in store %s: %w",
			benchRoot, load.name, f.SafeSpec(), err)
	}
	return nil
}

// showProgress shows how many of the rounds, or how much of the time, has passed.
func (f *benchFlags) showProgress(p *terminal.Progress, rounds int, passed time.Duration) {
	done, whole := int64(passed), int64(f.duration)
	if f.count > 0 {
		done, whole = int64(rounds), int64(f.count)
	}
	p.Show("measuring", done, whole)
}
