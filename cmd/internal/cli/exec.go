package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection/cmd/internal/bench"
	"github.com/fdbelection/fdbelection/cmd/internal/demo"
	"github.com/fdbelection/fdbelection/cmd/internal/doctor"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/run"
	"github.com/fdbelection/fdbelection/cmd/internal/serve"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/cmd/internal/version"
	"github.com/fdbelection/fdbelection/cmd/internal/watch"
	"github.com/fdbelection/fdbelection/elector"
)

// Exec runs the command. args do not include the name of the program. When ctx ends, the
// command stops: a candidate then leaves in order. Errors are on stderr already. ExitCode
// returns the exit code of the process. stores are available besides file: and mem:.
func Exec(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, stores ...session.Store) error {
	return newApp(stdin, stdout, stderr, stores).exec(ctx, args)
}

func newApp(stdin io.Reader, stdout, stderr io.Writer, stores []session.Store) *app {
	return &app{Program: &session.Program{
		Stdin: stdin, Stdout: stdout, Stderr: stderr, Clock: elector.SystemClock(), Random: rand.Reader, Stores: stores,
		Forced: context.Background(),
	}}
}

// app is one run of the command.
type app struct {
	*session.Program
	ran bool // the command line is valid
}

func (a *app) exec(ctx context.Context, args []string) error {
	root := a.rootCommand()
	root.SetArgs(append([]string{}, args...)) // nil would be os.Args
	command, err := root.ExecuteContextC(ctx)
	if err == nil {
		return nil
	}
	if !a.ran {
		err = exit.Usage(err)
	}
	err = a.Mark(err)
	if logged, ok := errors.AsType[*run.LoggedError](err); ok {
		return logged.Err
	}
	fmt.Fprintln(a.Stderr, terminal.SafeLines("fdbelect: "+err.Error()))
	if exit.Code(err) == exit.CodeUsage {
		fmt.Fprintf(a.Stderr, "See %q.\n", command.CommandPath()+" --help")
	}
	return err
}

func (a *app) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "fdbelect",
		Args:  knownCommand,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		Short: "Elect a leader among processes",
		Example: `  fdbelect demo
  fdbelect run --store file:/tmp/demo.db --id a -- ./worker
  fdbelect status --store file:/tmp/demo.db
  fdbelect watch --store file:/tmp/demo.db`,
		Long: `fdbelect elects a leader among processes that share a store, runs a program only while its
process leads, and shows the leader.

Exit codes:

  0   done
  1   failure: there is no such election, the request is not possible, or a record or the
      store file is damaged; the error says what to do
  2   wrong usage, or an invalid config; nothing was changed
  3   not the leader: there is no leader, another process leads, or the term is another one
  4   the store cannot be reached
  5   timed out: the store did not answer, or the expected change did not happen
  79  run: another process is active with the same id; do not start this one again
  130 a second interrupt ended the command at once
  137 run: its command had to be killed

"run" ends with the exit code of its command if the command ended by itself.`,
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Version:           version.Own().Line(),
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			err := session.ReadEnvironment(cmd.Flags())
			a.ran = err == nil // otherwise a variable is wrong
			return err
		},
	}
	root.SetIn(a.Stdin)
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	root.SetVersionTemplate("{{.Version}}\n")
	root.SetHelpTemplate(helpTemplate)
	root.AddCommand(
		demo.Command(a.Program), run.Command(a.Program), run.GuardCommand(a.Program), serve.Command(a.Program),
		a.listCommand(), a.statusCommand(), a.candidatesCommand(), a.historyCommand(), watch.Command(a.Program),
		a.initCommand(), a.configCommand(),
		a.resignCommand(), a.transferCommand(), a.cancelCommand(), a.evictCommand(), a.unregisterCommand(),
		a.repairCommand(), a.raiseTermCommand(), a.groupCommand(),
		doctor.Command(a.Program), a.simulateCommand(), bench.Command(a.Program),
		a.versionCommand(), a.completionCommand(), a.manCommand(),
	)
	a.completeFlags(root)
	root.InitDefaultHelpCmd()
	for _, c := range root.Commands() {
		if c.Name() == "help" {
			c.Run, c.RunE = nil, help
			root.RemoveCommand(c) // cobra adds it again when it runs a command
		}
	}
	return root
}
