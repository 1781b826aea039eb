package cli

import (
	"encoding/json"
	"errors"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
)

// guardCommand is what run starts beside itself. It is of no use by hand.
func guardCommand(p *program) *cobra.Command {
	var flags logFlags
	cmd := &cobra.Command{
		Use:    "guard -- COMMAND ARG...",
		Short:  "What run starts beside itself to end its command in time",
		Hidden: true,
		RunE: func(_ *cobra.Command, args []string) error {
			p.endItself() // interrupts are for run, and run ends this process
			log := slog.New(flags.handler(p.stderr, p.clock)).With("election", os.Getenv(variableOf("election")),
				"id", os.Getenv("FDBELECT_NODE_ID"), "term", json.Number(os.Getenv("FDBELECT_TERM")))
			err := runGuard(p.clock, log, args)
			if errors.Is(err, errNoGuard) {
				return usage(err)
			}
			return err
		},
	}
	flags.addFlags(cmd.Flags())
	return cmd
}

// guardArguments start a guard that logs as the flags say. The command follows them.
func (l *logFlags) guardArguments() []string {
	return []string{"fdbelect", "guard", "--log-format", l.format, "--log-level", l.level, "--"}
}
