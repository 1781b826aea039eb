package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection/internal/clock"
)

// benchFlags are those of "bench".
type benchFlags struct {
	place
	output   format
	duration time.Duration
	count    int
	timeout  time.Duration
}

// maxRounds bounds what a bench keeps in memory.
const maxRounds = 1_000_000

func benchCommand(a *program) *cobra.Command {
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
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.check(cmd.Flags().Changed("duration"), cmd.Flags().Changed("count")); err != nil {
				return err
			}
			return bench(cmd.Context(), a, &f)
		},
	}
	f.addStoreFlag(cmd)
	flags := cmd.Flags()
	flags.DurationVar(&f.duration, "duration", 5*time.Second, "how long to measure")
	flags.IntVar(&f.count, "count", 0, "how many rounds to measure, instead of a time")
	flags.DurationVar(&f.timeout, "timeout", 5*time.Second, "how long to wait for the store, and for each round")
	f.output.addFlag(cmd)
	return cmd
}

func (f *benchFlags) check(duration, count bool) error {
	switch {
	case duration && count:
		return usage(errors.New("give either --duration or --count"))
	case count && (f.count < 1 || f.count > maxRounds):
		return usage(fmt.Errorf("--count is %d; use 1 to %d", f.count, maxRounds))
	case f.duration <= 0:
		return usage(fmt.Errorf("--duration is %s; it has to be above zero", f.duration))
	case f.timeout <= 0:
		return usage(fmt.Errorf("--timeout is %s; it has to be above zero", f.timeout))
	}
	return nil
}

// bench measures, removes what it wrote, and shows what it has.
func bench(ctx context.Context, a *program, f *benchFlags) (err error) {
	if err := f.checkStore(); err != nil {
		return err
	}
	db, err := a.open(ctx, &f.place, false, f.timeout)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // what was committed is safe
	load, err := newBenchLoad(a, db)
	if err != nil {
		return err
	}

	begin := a.clock.Now()
	bar := benchBar(a, f)
	rounds, failed := load.run(ctx, f.timeout, func(rounds int) bool {
		passed := a.clock.Now().Sub(begin)
		bar(rounds, passed)
		if f.count > 0 {
			return rounds < f.count
		}
		return passed < f.duration && rounds < maxRounds
	})
	took := a.clock.Now().Sub(begin)
	bar(-1, took)

	result := benchResult{Store: f.spec, Rounds: rounds, Took: duration(took), Interrupted: ctx.Err() != nil}
	if result.Interrupted {
		failed = errors.New("the bench was interrupted")
	}
	for _, figures := range load.all() {
		result.Operations = append(result.Operations, figures.summary())
	}
	return errors.Join(clearBench(ctx, a, load, f), a.show(f.output, &result, result.table), failed)
}

// clearBench removes what the bench wrote, also after an interruption.
func clearBench(ctx context.Context, a *program, load *benchLoad, f *benchFlags) error {
	ctx, cancel := clock.WithTimeout(context.WithoutCancel(ctx), a.clock, f.timeout)
	defer cancel()
	if err := load.clear(ctx); err != nil {
		return fmt.Errorf("what the bench wrote could not be removed; it is the subspace (%q, %q) in store %s: %w",
			benchRoot, load.name, f.safe(), err)
	}
	return nil
}

// benchBar returns what moves a bar on stderr, where that is a terminal; a
// negative number of rounds takes the bar away.
func benchBar(a *program, f *benchFlags) func(rounds int, passed time.Duration) {
	if !isTerminal(a.stderr) {
		return func(int, time.Duration) {}
	}
	whole := int64(f.count)
	if f.count == 0 {
		whole = f.duration.Milliseconds()
	}
	bar := progressbar.NewOptions64(whole,
		progressbar.OptionSetWriter(a.stderr),
		progressbar.OptionSetDescription("measuring"),
		progressbar.OptionSetWidth(30),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetElapsedTime(false),
	)
	return func(rounds int, passed time.Duration) {
		switch {
		case rounds < 0:
			_ = bar.Clear()
		case f.count > 0:
			_ = bar.Set64(int64(rounds))
		default:
			_ = bar.Set64(min(passed.Milliseconds(), whole))
		}
	}
}
