package cli

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
)

// Every subcommand has a description and is in the table of docs/command.md, and so is
// every exit code.
func TestDocumentsListTheSubcommands(t *testing.T) {
	page, err := os.ReadFile("../../../docs/command.md")
	require.NoError(t, err)
	section := func(title string) string {
		_, rest, found := strings.Cut(string(page), "\n## "+title+"\n")
		require.True(t, found, "docs/command.md lacks the section %q", title)
		text, _, _ := strings.Cut(rest, "\n## ")
		return text
	}
	subcommands, codes := section("Subcommands"), section("Exit codes")
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			if sub.Hidden {
				continue
			}
			require.NotEmpty(t, sub.Short, sub.CommandPath())
			require.NotEmpty(t, sub.Long, sub.CommandPath())
			name := strings.TrimPrefix(sub.CommandPath(), "fdbelect ")
			last := name[strings.LastIndex(name, " ")+1:]
			require.True(t, strings.Contains(subcommands, "`"+name) || strings.Contains(subcommands, "`"+last+"`"),
				"the table of docs/command.md lacks %q", name)
			walk(sub)
		}
	}
	walk((&app{Program: &session.Program{}}).rootCommand())
	for code, means := range map[int]string{
		exit.CodeDone: "done", exit.CodeFailure: "failure", exit.CodeUsage: "wrong usage", exit.CodeNotLeader: "not the leader",
		exit.CodeUnreachable: "the store cannot be reached", exit.CodeTimedOut: "timed out", exit.CodeDuplicateID: "`run`: another process is active under the same id",
		exit.CodeInterrupted: "a second interrupt", 128 + 9: "`run`: its command had to be killed",
	} {
		require.Contains(t, codes, fmt.Sprintf("\n| %d | %s", code, means))
		require.Contains(t, (&app{Program: &session.Program{}}).rootCommand().Long, fmt.Sprint(code))
	}
}
