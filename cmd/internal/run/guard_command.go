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
	var (
		flags          logFlags
		group, streams bool
	)
	cmd := &cobra.Command{
		Use:    "guard -- COMMAND ARG...",
		Short:  "The process that run starts to end its command in time",
		Hidden: true,
		RunE: func(_ *cobra.Command, args []string) error {
			p.EndItself() // run handles interrupts and ends this process
			log := slog.New(flags.handler(p.Stderr, p.Clock))
			if id := os.Getenv("FDBELECT_NODE_ID"); group {
				log = log.With("group", os.Getenv(session.Variable("group")), "id", id)
			} else {
				log = log.With("election", os.Getenv(session.Variable("election")), "id", id, "term", json.Number(os.Getenv("FDBELECT_TERM")))
			}
			err := supervise.Guard(p.Clock, log, args, streams)
			if errors.Is(err, supervise.ErrNoGuard) {
				return exit.Usage(err)
			}
			return err
		},
	}
	flags.addFlags(cmd.Flags())
	cmd.Flags().BoolVar(&group, "of-group", false, "its commands are those of a group")
	cmd.Flags().BoolVar(&streams, "streams", false, "its command has pipes to the supervisor")
	return cmd
}

// guardArguments returns the arguments that start a guard with the same log flags, and with
// more of its own. The command follows them.
func (l *logFlags) guardArguments(more ...string) []string {
	return append(append([]string{"fdbelect", "guard", "--log-format", l.format, "--log-level", l.level}, more...), "--")
}
