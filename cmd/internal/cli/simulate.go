package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/simulation"
)

// simulateFlags are the flags of "simulate".
type simulateFlags struct {
	run     simulation.Options
	seeds   uint64
	first   uint64
	jobs    int
	twice   uint64
	without []string
	save    string
	lines   int
	output  output.Format
}

func (a *app) simulateCommand() *cobra.Command {
	var f simulateFlags
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Run elections in simulated time under faults, and check every invariant",
		Long: `simulate runs elections of several processes in simulated time: the same loop and protocol
as "run", on a database in the memory of this process, under faults that a seed decides. It
checks the invariants of docs/simulation.md. With --groups it runs groups of many shards.

With --seed it runs one seed and prints its trace, which is always the same. With --seeds it
runs many. For each seed that fails, it prints the command that runs it again, minimised, and
the end of its timeline. With --output json or yaml it prints only the result on stdout, and
everything else on stderr. It ends with 1 if an invariant did not hold, or if a situation did
not occur that a thousand seeds must reach.`,
		Example: `  fdbelect simulate --seed 7
  fdbelect simulate --seeds 10000 --jobs 2`,
		Args: session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			one, many := cmd.Flags().Changed("seed"), cmd.Flags().Changed("seeds")
			if one == many {
				return exit.Usage(errors.New("give either --seed or --seeds"))
			}
			if err := f.check(many); err != nil {
				return exit.Usage(err)
			}
			out := &output.FirstError{Writer: a.Stdout}
			if f.output != output.FormatTable {
				out.Writer = a.Stderr // stdout is for the result
			}
			var err error
			if one {
				err = a.simulateOne(&f, out)
			} else {
				err = a.simulateMany(cmd.Context(), &f, out)
			}
			return cmp.Or(err, out.Err)
		},
	}
	flags := cmd.Flags()
	flags.Uint64Var(&f.run.Seed, "seed", 0, "run this seed and print its trace")
	flags.Uint64Var(&f.seeds, "seeds", 0, "run this many seeds")
	flags.Uint64Var(&f.first, "first", 1, "the first of many seeds")
	flags.IntVar(&f.jobs, "jobs", runtime.NumCPU(), "how many seeds run at a time")
	flags.Uint64Var(&f.twice, "twice", 5, "how many of 100 seeds run twice, to check that their hashes are equal")
	flags.DurationVar(&f.run.Faulty, "faulty", 0, "how long faults happen (default 2m, or 30s if the lease is short)")
	flags.DurationVar(&f.run.FaultFree, "quiet", 0, "how long the fault-free period after that is (default 9 leases or more)")
	flags.IntVar(&f.run.Processes, "processes", 5, "how many processes take part")
	flags.BoolVar(&f.run.Groups, "groups", false, "run groups of many shards instead of elections")
	flags.StringSliceVar(&f.without, "without", nil, "kinds of faults to leave out")
	flags.StringVar(&f.save, "save", "", "save failing runs in this directory")
	flags.IntVar(&f.lines, "lines", 60, "how many lines of the timeline of a failure to print")
	f.output.AddFlag(cmd)
	return cmd
}

func (f *simulateFlags) check(many bool) error {
	if last := f.first + f.seeds - 1; many && (f.seeds == 0 || last < f.first) {
		return fmt.Errorf("--seeds is %d and --first is %d; use one seed at least, and none above %d", f.seeds, f.first, uint64(math.MaxUint64))
	}
	if f.run.Processes < 1 || f.run.Processes > 20 {
		return fmt.Errorf("--processes is %d; use 1 to 20", f.run.Processes)
	}
	if f.run.Faulty < 0 || f.run.FaultFree < 0 || f.jobs < 1 || f.twice > 100 {
		return errors.New("--faulty and --quiet cannot be negative, --jobs is at least 1, --twice at most 100")
	}
	for _, name := range f.without {
		kind, ok := simulation.ParseFault(name)
		if !ok {
			return fmt.Errorf("--without: there is no kind of faults %q", name)
		}
		f.run.Without = append(f.run.Without, kind)
	}
	return nil
}

// simulated is the output of "simulate".
type simulated struct {
	Seeds      uint64          `json:"seeds"`
	Twice      uint64          `json:"twice"`      // how many of them ran twice
	Linearized uint64          `json:"linearized"` // how many were checked by porcupine
	Simulated  output.Duration `json:"simulated_seconds"`
	Took       output.Duration `json:"took_seconds"`
	Tenures    int             `json:"tenures"`
	Fenced     int             `json:"fenced_writes"`
	Faults     map[string]int  `json:"faults"`
	Situations map[string]int  `json:"situations"` // in how many seeds
	Missing    []string        `json:"missing"`    // situations that must occur
	Failed     []failedSeed    `json:"failed"`
}

// failedSeed is a seed in which an invariant did not hold.
type failedSeed struct {
	Seed    uint64 `json:"seed"`
	Problem string `json:"problem"`
}

func (s *simulated) failed(results []simulation.Result) {
	s.Failed = []failedSeed{}
	for i := range results {
		if r := &results[i]; r.Failed() {
			s.Failed = append(s.Failed, failedSeed{r.Seed, r.Violations[0].Error()})
		}
	}
}

// showSimulated shows the result as JSON or YAML. As text it was printed before.
func (a *app) showSimulated(f *simulateFlags, s *simulated) error {
	if f.output == output.FormatTable {
		return nil
	}
	return a.ShowLines(f.output, s)
}

// simulateOne runs one seed and prints its trace.
func (a *app) simulateOne(f *simulateFlags, out io.Writer) error {
	begin := a.Clock.Now()
	f.run.Linearize = !f.run.Groups
	f.run.Trace = func(line string) { fmt.Fprintln(out, line) }
	r := simulation.Run(f.run)
	fmt.Fprintf(out, "seed %d: %s, %d tenures, %d fenced writes, commits %016x, calls %016x\n",
		r.Seed, r.Simulated, r.Tenures, r.Fenced, r.Commits, r.Calls)
	s := simulated{
		Seeds: 1, Simulated: output.Duration(r.Simulated), Took: output.Duration(a.Clock.Now().Sub(begin)),
		Tenures: r.Tenures, Fenced: r.Fenced, Missing: []string{},
		Faults: map[string]int{}, Situations: map[string]int{},
	}
	if f.run.Linearize {
		s.Linearized = 1
	}
	for name, n := range r.Faults {
		if n > 0 {
			s.Faults[name] = n
		}
	}
	for name := range r.Situations {
		s.Situations[name] = 1
	}
	s.failed([]simulation.Result{r})
	if err := a.showSimulated(f, &s); err != nil {
		return err
	}
	if r.Failed() {
		return &r.Violations[0]
	}
	return nil
}

// simulateMany runs many seeds, and reports its progress.
func (a *app) simulateMany(ctx context.Context, f *simulateFlags, out io.Writer) error {
	// A run makes much garbage and keeps little. With the default, a third of the time goes to
	// collecting it.
	defer debug.SetGCPercent(debug.SetGCPercent(800))
	begin, told := a.Clock.Now(), a.Clock.Now()
	run := f.run
	s := simulation.Sweep(ctx, simulation.SweepOptions{
		First: f.first, Seeds: f.seeds, Jobs: f.jobs, Twice: f.twice, Linearize: 10, Run: run,
		Progress: func(s *simulation.Summary) {
			if now := a.Clock.Now(); now.Sub(told) >= 5*time.Second {
				told = now
				printSimulated(a.Stderr, s, now.Sub(begin))
			}
		},
	})
	took := a.Clock.Now().Sub(begin)
	printSimulated(out, s, took)
	tally(out, "faults", s.Faults)
	tally(out, "situations, in how many seeds", s.Situations)
	for i := range s.Failures {
		if err := explain(f, &s.Failures[i], out); err != nil {
			return err
		}
	}
	missing := s.Missing()
	result := simulated{
		Seeds: s.Seeds, Twice: s.Twice, Linearized: s.Linearized, Simulated: output.Duration(s.Simulated), Took: output.Duration(took),
		Tenures: s.Tenures, Fenced: s.Fenced, Faults: s.Faults, Situations: s.Situations, Missing: append([]string{}, missing...),
	}
	result.failed(s.Failures)
	if err := a.showSimulated(f, &result); err != nil {
		return err
	}
	switch {
	case len(s.Failures) > 0:
		return fmt.Errorf("an invariant did not hold in %d of %d seeds", len(s.Failures), s.Seeds)
	case ctx.Err() != nil:
		return errors.New("the simulation was interrupted")
	case s.Seeds >= 1000 && len(missing) > 0:
		return fmt.Errorf("in %d seeds these situations did not occur: %s", s.Seeds, strings.Join(missing, ", "))
	}
	return nil
}

// printSimulated prints how much was simulated, and how fast.
func printSimulated(out io.Writer, s *simulation.Summary, took time.Duration) {
	seconds := max(took.Seconds(), 1e-3)
	fmt.Fprintf(out, "%d seeds (%d twice, %d by porcupine), %s simulated in %s (%.0f times as fast), %d tenures, %d fenced writes, %d failed\n",
		s.Seeds, s.Twice, s.Linearized, s.Simulated.Round(time.Second), took.Round(time.Millisecond),
		s.Simulated.Seconds()/seconds, s.Tenures, s.Fenced, len(s.Failures))
}

func tally(out io.Writer, title string, counts map[string]int) {
	fmt.Fprintf(out, "\n%s:\n", title)
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(out, "%10d  %s\n", counts[name], name)
	}
}

// explain prints how a run failed, and saves it.
func explain(f *simulateFlags, failed *simulation.Result, out io.Writer) error {
	told, kept := simulation.Explain(f.run, failed, f.lines)
	fmt.Fprint(out, "\n"+told)
	if f.save == "" || kept == nil {
		return nil
	}
	b, err := kept.Encode()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(f.save, 0o777); err != nil {
		return err
	}
	name := filepath.Join(f.save, fmt.Sprintf("%d.json", failed.Seed))
	if err := os.WriteFile(name, b, 0o666); err != nil {
		return err
	}
	fmt.Fprintln(out, "saved in "+name)
	return nil
}
