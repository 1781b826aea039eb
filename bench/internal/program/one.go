package program

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime/pprof"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection/bench/internal/figures"
	"github.com/fdbelection/fdbelection/bench/internal/scenario"
	"github.com/fdbelection/fdbelection/bench/internal/system"
)

// outcome is what a process prints that has run one scenario.
type outcome struct {
	Result  figures.Result
	Version string
}

// inProcess runs a scenario in a process of its own, so that nothing of it is left in the next one.
func (f *runFlags) inProcess(ctx context.Context, system, scenario, settings string) (figures.Result, string, error) {
	self, err := os.Executable()
	if err != nil {
		return figures.Result{}, "", err
	}
	cmd := exec.CommandContext(ctx, self, "one", system, scenario, settings, //nolint:gosec // it is this program
		"--lease", f.limits.Lease.String(), "--quick="+strconv.FormatBool(f.limits.Quick))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return figures.Result{}, "", fmt.Errorf("%s on %s: %w", scenario, system, err)
	}
	var o outcome
	err = json.Unmarshal(out, &o)
	return o.Result, o.Version, err
}

func oneCommand(systems []system.System) *cobra.Command {
	var l scenario.Limits
	var profile string
	cmd := &cobra.Command{
		Use: "one SYSTEM SCENARIO SETTINGS", Short: "Run one scenario on one system, and print the result as JSON", Args: cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			if profile != "" {
				to, err := os.Create(profile)
				if err != nil {
					return err
				}
				defer func() { _ = to.Close() }()
				if err := pprof.StartCPUProfile(to); err != nil {
					return err
				}
				defer pprof.StopCPUProfile()
			}
			for _, y := range systems {
				for _, s := range scenario.All() {
					if y.Name == args[0] && s.Name == args[1] {
						var o outcome
						o.Result, o.Version = scenario.Run(cmd.Context(), s, y, args[2], l)
						return json.NewEncoder(cmd.OutOrStdout()).Encode(o)
					}
				}
			}
			return fmt.Errorf("unknown system %q or scenario %q; use the names that run prints", args[0], args[1])
		},
	}
	cmd.Flags().DurationVar(&l.Lease, "lease", 0, "the equal lease")
	cmd.Flags().BoolVar(&l.Quick, "quick", false, "run it once")
	cmd.Flags().IntVar(&l.Victims, "victims", scenario.DefaultVictims, "how many elections the process leads that is killed")
	cmd.Flags().StringVar(&profile, "cpuprofile", "", "write a CPU profile of the process to a file")
	return cmd
}
