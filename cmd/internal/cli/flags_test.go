package cli

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/session"
)

// The subcommands and flags are those of testdata/flags.txt, each with its type and its default. A new one gets
// a line there. docs/compatibility.md says when one may go or change.
func TestFlagsAreKept(t *testing.T) {
	var lines []string
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Hidden {
			return
		}
		lines = append(lines, c.CommandPath())
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if f.Hidden || f.Name == "help" {
				return
			}
			short := ""
			if f.Shorthand != "" {
				short = " -" + f.Shorthand
			}
			lines = append(lines, fmt.Sprintf("%s --%s%s %s %q", c.CommandPath(), f.Name, short, f.Value.Type(), f.DefValue))
		})
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk((&app{Program: &session.Program{}}).rootCommand())
	slices.Sort(lines)
	now := strings.Join(lines, "\n") + "\n"
	kept, err := os.ReadFile("testdata/flags.txt")
	require.NoError(t, err)
	require.Equal(t, string(kept), now)
}
