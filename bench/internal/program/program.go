// Package program is the command that measures and reports.
package program

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection/bench/internal/figures"
	"github.com/fdbelection/fdbelection/bench/internal/report"
	"github.com/fdbelection/fdbelection/bench/internal/scenario"
	"github.com/fdbelection/fdbelection/bench/internal/system"
)

// Main runs the command for some systems and returns its exit code.
func Main(systems []system.System) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 && os.Args[1] == scenario.ChildArgument {
		if err := scenario.Child(ctx, systems, os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "candidate:", err)
			return 1
		}
		return 0
	}
	root := &cobra.Command{Use: "peers", Short: "Measure this project beside other systems", SilenceUsage: true}
	root.AddCommand(runCommand(systems), oneCommand(systems), curvesCommand(), reportCommand())
	if root.ExecuteContext(ctx) != nil {
		return 1
	}
	return 0
}

// runFlags are the flags of "run".
type runFlags struct {
	file              string
	systems, scenario []string
	settings          []string
	limits            scenario.Limits
}

func runCommand(systems []system.System) *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use: "run", Short: "Run scenarios on systems and add the results to a file", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, systems) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.file, "file", "", "the file of figures; without it, the results are only printed")
	flags.StringSliceVar(&f.systems, "systems", nil, "parts of the names of the systems (default all)")
	flags.StringSliceVar(&f.scenario, "scenarios", nil, "the names of the scenarios (default all)")
	flags.StringSliceVar(&f.settings, "settings", []string{figures.Equal, figures.Recommended}, "the settings")
	flags.DurationVar(&f.limits.Lease, "lease", 3*time.Second, "the equal lease; etcd takes whole seconds")
	flags.BoolVar(&f.limits.Quick, "quick", false, "run each scenario once, at one setting")
	return cmd
}

// run runs everything, one after the other. A system that is not installed is named. In a quick
// run, a scenario that fails fails the run.
func (f *runFlags) run(cmd *cobra.Command, systems []system.System) error {
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	file, err := figures.Read(f.file)
	if err != nil {
		return err
	}
	run := newRun()
	failed := 0
	for _, y := range systems {
		if len(f.systems) > 0 && !slices.ContainsFunc(f.systems, func(part string) bool { return strings.Contains(y.Name, part) }) {
			continue
		}
		if why := y.Absent(); why != "" {
			fmt.Fprintf(out, "%s: not run: %s\n", y.Name, why)
			continue
		}
		for _, s := range scenario.All() {
			if len(f.scenario) > 0 && !slices.Contains(f.scenario, s.Name) {
				continue
			}
			for _, settings := range f.settingsOf(s) {
				r, version, err := f.inProcess(ctx, y.Name, s.Name, settings)
				if err != nil {
					return err
				}
				if r.Run = run.ID; version != "" {
					run.Systems[y.Name] = figures.About{Version: version, Lease: y.Lease, Heartbeat: y.Heartbeat, Unfair: y.Unfair}
				}
				if r.Why != "" && y.Cannot[s.Name] == "" {
					failed++
				}
				file.Add(r)
				fmt.Fprintln(out, report.Line(&r))
			}
		}
	}
	if f.file != "" {
		file.Runs = append(file.Runs, run)
		if err := file.Write(f.file); err != nil {
			return err
		}
	}
	if f.limits.Quick && failed > 0 {
		return fmt.Errorf("%d of the scenarios failed", failed)
	}
	return nil
}

func (f *runFlags) settingsOf(s scenario.Scenario) []string {
	return slices.DeleteFunc(slices.Clone(f.settings), func(one string) bool {
		return one == figures.Recommended && (!s.Recommended || f.limits.Quick)
	})
}

func newRun() figures.Run {
	return figures.Run{
		ID: time.Now().UTC().Format(time.RFC3339), Command: command(),
		Machine: machine(), Go: strings.TrimPrefix(runtime.Version(), "go"), Systems: make(map[string]figures.About),
	}
}

// command returns the command of this run, without the folder of the file.
func command() string {
	words := []string{"peers"}
	for i, word := range os.Args[1:] {
		if os.Args[i] == "--file" {
			word = filepath.Base(word)
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

// machine describes the processors and the kernel.
func machine() string {
	model := "unknown processor"
	data, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(data)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	kernel, _ := exec.Command("uname", "-sr").Output()
	return fmt.Sprintf("%d cores of %s, %s", runtime.NumCPU(), model, strings.TrimSpace(string(kernel)))
}

func curvesCommand() *cobra.Command {
	var path string
	var full bool
	cmd := &cobra.Command{
		Use: "curves", Short: "Measure the cost by size on memkv, and add the curves to a file", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			file, err := figures.Read(path)
			if err != nil {
				return err
			}
			run := newRun()
			curves, err := scenario.Curves(cmd.Context(), full, func(line string) { fmt.Fprintln(cmd.OutOrStdout(), line) })
			if err != nil || path == "" {
				return err
			}
			for _, c := range curves {
				c.Run = run.ID
				file.AddCurve(c)
			}
			file.Runs = append(file.Runs, run)
			return file.Write(path)
		},
	}
	cmd.Flags().StringVar(&path, "file", "", "the file of figures; without it, the results are only printed")
	cmd.Flags().BoolVar(&full, "full", false, "up to 10,000 elections and 2,000 candidates")
	return cmd
}

func reportCommand() *cobra.Command {
	var path, folder string
	cmd := &cobra.Command{
		Use: "report", Short: "Write the page and its charts from the file of figures", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			file, err := figures.Read(path)
			if err != nil {
				return err
			}
			return report.Write(file, folder)
		},
	}
	cmd.Flags().StringVar(&path, "file", "../docs/benchmarks.json", "the file of figures")
	cmd.Flags().StringVar(&folder, "docs", "../docs", "the folder of the page")
	return cmd
}
