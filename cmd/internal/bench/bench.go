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

// benchFlags are those of "bench".
type benchFlags struct {
	session.Place
	output   output.Format
	duration time.Duration
	count    int
	timeout  time.Duration
}

// maxRounds bounds what a bench keeps in memory.
const maxRounds = 1_000_000

func Command(a *session.Program) *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "bench --store STORE [flags]",
		Short: "Measure what an election costs on a store, beside the bare transaction",
		Long: `bench measures the operations of an election on a store, one after the other in
rounds, by one client: a renewal, a follower's heartbeat, a fenced write, a claim,
and a hand-over from one candidate to another that waits with a watch. In the same
rounds it measures a bare read and a bare write, and shows what each operation
takes in comparison: RATIO is that of the medians. RATE is what one client does in
a second of nothing else.

It works in a subspace of its own, "` + benchRoot + `" and a random name below it, and
removes that at the end, also when it is interrupted. Elections are not touched;
they share the store's time. A file that is not there yet is made, and stays.`,
		Example: `  fdbelect bench --store mem:
  fdbelect bench --store file:/tmp/bench.db --duration 10s
  fdbelect bench --store file:/tmp/bench.db --count 200 --output json`,
		Args: session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(cmd.Flags().Changed("duration"), cmd.Flags().Changed("count")); err != nil {
				return err
			}
			return runBench(cmd.Context(), a, &f)
		},
	}
	f.AddStoreFlag(cmd)
	flags := cmd.Flags()
	flags.DurationVar(&f.duration, "duration", 5*time.Second, "how long to measure")
	flags.IntVar(&f.count, "count", 0, "how many rounds to measure, instead of a time")
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
		return exit.Usage(fmt.Errorf("--duration is %s; it has to be above zero", f.duration))
	case f.timeout <= 0:
		return exit.Usage(fmt.Errorf("--timeout is %s; it has to be above zero", f.timeout))
	}
	return nil
}

// bench measures, removes what it wrote, and shows what it has.
func runBench(ctx context.Context, a *session.Program, f *benchFlags) (err error) {
	if err := f.CheckStore(); err != nil {
		return err
	}
	db, err := a.Open(ctx, &f.Place, false, f.timeout)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // what was committed is safe
	load, err := newBenchLoad(a, db)
	if err != nil {
		return err
	}

	begin := a.Clock.Now()
	progress := a.NewProgress()
	rounds, failed := load.run(ctx, f.timeout, func(rounds int) bool {
		passed := a.Clock.Now().Sub(begin)
		f.showProgress(progress, rounds, passed)
		if f.count > 0 {
			return rounds < f.count
		}
		return passed < f.duration && rounds < maxRounds
	})
	took := a.Clock.Now().Sub(begin)
	progress.Done()

	result := benchResult{Store: f.Spec, Rounds: rounds, Took: output.Duration(took), Interrupted: ctx.Err() != nil}
	if result.Interrupted {
		failed = errors.New("the bench was interrupted")
	}
	for _, figures := range load.all() {
		result.Operations = append(result.Operations, figures.summary())
	}
	return errors.Join(clearBench(ctx, a, load, f), a.Show(f.output, &result, result.table), failed)
}

// clearBench removes what the bench wrote, also after an interruption.
func clearBench(ctx context.Context, a *session.Program, load *benchLoad, f *benchFlags) error {
	ctx, cancel := clock.WithTimeout(context.WithoutCancel(ctx), a.Clock, f.timeout)
	defer cancel()
	if err := load.clear(ctx); err != nil {
		return fmt.Errorf("what the bench wrote could not be removed; it is the subspace (%q, %q) in store %s: %w",
			benchRoot, load.name, f.SafeSpec(), err)
	}
	return nil
}

// showProgress shows how much of the rounds, or of the time, has passed.
func (f *benchFlags) showProgress(p *terminal.Progress, rounds int, passed time.Duration) {
	done, whole := int64(passed), int64(f.duration)
	if f.count > 0 {
		done, whole = int64(rounds), int64(f.count)
	}
	p.Show("measuring", done, whole)
}
