package cli

import (
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/elector"
)

// Every command has a help text and examples, and each example is a command line
// that is understood. The scripts run what they show.
func TestHelpOfEveryCommand(t *testing.T) {
	root := func() *cobra.Command {
		a := &app{Program: &session.Program{Stdout: io.Discard, Stderr: io.Discard, Clock: elector.SystemClock()}}
		return a.rootCommand()
	}
	for _, c := range documented(root())[1:] {
		require.NotEmpty(t, c.Short, c.CommandPath())
		if c.HasSubCommands() {
			continue
		}
		require.NotEmpty(t, c.Long, c.CommandPath())
		require.NotEmpty(t, c.Example, c.CommandPath())
		own := 0
		for line := range strings.Lines(c.Example) {
			words := wordsOf(t, line)
			require.Equal(t, "fdbelect", words[0], line)
			command, rest, err := root().Find(words[1:])
			require.NoError(t, err, line)
			require.NoError(t, command.ParseFlags(rest), line)
			require.NoError(t, command.ValidateArgs(command.Flags().Args()), line)
			if command.Name() == c.Name() {
				own++
			}
		}
		require.Positive(t, own, "%s: its examples show other commands", c.CommandPath())
	}
}

// wordsOf takes a line apart as a shell does, as far as examples need it.
func wordsOf(t *testing.T, line string) (words []string) {
	t.Helper()
	quoted := strings.Split(strings.TrimSpace(line), "'")
	require.Equal(t, 1, len(quoted)%2, "a quote is open: %s", line)
	for i, part := range quoted {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}
