package run

import (
	"encoding/json"
	"errors"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/supervise"
)

// GuardCommand returns the hidden subcommand "guard", which run starts with two pipes.
// Without them it returns a usage error.
func GuardCommand(p *session.Program) *cobra.Command {
	var flags logFlags
	cmd := &cobra.Command{
		Use:    "guard -- COMMAND ARG...",
		Short:  "The process that run starts to end its command in time",
		Hidden: true,
		RunE: func(_ *cobra.Command, args []string) error {
			p.EndItself() // run handles interrupts and ends this process
			log := slog.New(flags.handler(p.Stderr, p.Clock)).With("election", os.Getenv(session.Variable("election")),
				"id", os.Getenv("FDBELECT_NODE_ID"), "term", json.Number(os.Getenv("FDBELECT_TERM")))
			err := supervise.Guard(p.Clock, log, args)
			if errors.Is(err, supervise.ErrNoGuard) {
				return exit.Usage(err)
			}
			return err
		},
	}
	flags.addFlags(cmd.Flags())
	return cmd
}

// guardArguments returns the arguments that start a guard with the same log flags. The
// command follows them.
func (l *logFlags) guardArguments() []string {
	return []string{"fdbelect", "guard", "--log-format", l.format, "--log-level", l.level, "--"}
}
