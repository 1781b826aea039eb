// Command nemesis strikes the processes of an election and its store with faults, and judges
// afterwards whether every promise was kept. See docs/nemesis.md.
package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

func main() {
	cmd := command()
	cmd.AddCommand(workerCommand(), childCommand(), judgeCommand())
	if err := cmd.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "nemesis:", err)
		os.Exit(1)
	}
}

// options are the flags of a run.
type options struct {
	store    string
	length   time.Duration
	seed     uint64
	bug      string
	dir      string
	lease    time.Duration
	fdbelect string
	binaries string
}

// errViolations is the error of a run that has found some.
var errViolations = errors.New("promises were broken, see the report")

func command() *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "nemesis",
		Short: "Strike the processes of an election with faults, and judge what they did",
		Args:  cobra.NoArgs, SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("seed") {
				o.seed = rand.Uint64() >> 11 // short enough to type
			}
			if err := checkBug(o.bug); err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			report, err := o.run(ctx, cmd.OutOrStdout())
			if err != nil {
				return err
			}
			if len(report.Violations) > 0 {
				return errViolations
			}
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.store, "store", "file", "file, or fdb: a cluster of three server processes")
	flags.DurationVar(&o.length, "for", 10*time.Minute, "how long to strike")
	flags.Uint64Var(&o.seed, "seed", 0, "the source of all draws (default: a new one, which is printed)")
	flags.StringVar(&o.bug, "bug", "", "plant a bug: margin, fence, guard, lost, stale or idle")
	flags.StringVar(&o.dir, "dir", "", "an empty directory for diaries and the report (default: a new one)")
	flags.DurationVar(&o.lease, "lease", 2*time.Second, "the lease")
	flags.StringVar(&o.fdbelect, "fdbelect", "fdbelect", "the program fdbelect. For fdb it must be that of cmd/fdbelect-fdb")
	flags.StringVar(&o.binaries, "fdb-binaries", "", "the directory of fdbserver and fdbcli (default: in PATH)")
	return cmd
}

// replay is the command that runs again with the same draws.
func (o *options) replay() string {
	text := fmt.Sprintf("%s --store %s --for %s --seed %d --lease %s --fdbelect %s", os.Args[0], o.store, o.length, o.seed, o.lease, o.fdbelect)
	if o.binaries != "" {
		text += " --fdb-binaries " + o.binaries
	}
	if o.bug != "" {
		text += " --bug " + o.bug
	}
	return text
}

// judgeCommand judges the diaries of an earlier run again.
func judgeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "judge DIR", Short: "Judge the diaries of an earlier run again", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			report, err := judgeAgain(args[0])
			if err != nil {
				return err
			}
			if _, err := fmt.Fprint(cmd.OutOrStdout(), report); err != nil {
				return err
			}
			if len(report.Violations) > 0 {
				return errViolations
			}
			return nil
		},
	}
}
