package session

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection/election"
)

// NoArgs is for commands that take only flags.
func NoArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes only flags, and got %s", cmd.CommandPath(), election.SafeText(args[0]))
	}
	return nil
}
