package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/fdbelection/fdbelection/cmd/internal/clitest"
)

// rootOf returns the root command of a program that writes to out.
func rootOf(out *bytes.Buffer) *cobra.Command {
	return (&app{Program: clitest.NewProgram(clitest.Virtual{}, out, out)}).rootCommand()
}

// TestHelpShowsExamplesFirst: the help of every command shows examples, then the usage,
// then the flags.
func TestHelpShowsExamplesFirst(t *testing.T) {
	var out bytes.Buffer
	for _, c := range documented(rootOf(&out)) {
		out.Reset()
		root := rootOf(&out)
		root.SetArgs(append(strings.Fields(c.CommandPath())[1:], "--help"))
		require.NoError(t, root.Execute())
		text := out.String()
		require.True(t, strings.HasPrefix(text, "Examples:\n  fdbelect "), "%s\n%s", c.CommandPath(), text)
		usage, flags := strings.Index(text, "\nUsage:\n  "+c.CommandPath()), strings.Index(text, "\nFlags:\n")
		require.Positive(t, usage, text)
		require.Greater(t, flags, usage, text)
		require.Contains(t, text, c.Long)
	}
}

// TestExamplesParse: every command has examples, and each of them is a command line that
// the command accepts. The scripts run them.
func TestExamplesParse(t *testing.T) {
	var out bytes.Buffer
	for _, c := range documented(rootOf(&out)) {
		require.NotEmpty(t, c.Short, c.CommandPath())
		require.NotEmpty(t, c.Long, c.CommandPath())
		require.NotEmpty(t, c.Example, c.CommandPath())
		own := 0
		for line := range strings.Lines(c.Example) {
			words := wordsOf(t, line)
			require.Equal(t, "fdbelect", words[0], line)
			root := rootOf(&out)
			command, rest, err := root.Find(words[1:])
			require.NoError(t, err, line)
			require.NotSame(t, root, command, "%s: it does nothing", line)
			require.NoError(t, command.ParseFlags(rest), line)
			require.NoError(t, command.ValidateArgs(command.Flags().Args()), line)
			require.NoError(t, command.ValidateRequiredFlags(), line)
			if strings.HasPrefix(command.CommandPath(), c.CommandPath()) {
				own++
			}
		}
		require.Positive(t, own, "%s: its examples show other commands", c.CommandPath())
	}
}

// wordsOf splits a line as a shell does, as far as the examples need it.
func wordsOf(t *testing.T, line string) (words []string) {
	t.Helper()
	quoted := strings.Split(strings.TrimSpace(line), "'")
	require.Equal(t, 1, len(quoted)%2, "a quote is not closed: %s", line)
	for i, part := range quoted {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}
