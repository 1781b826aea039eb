package cli

import (
	"io"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// The examples of the help texts do what they are for. Each runs in an election
// of its own, in which "a" leads and "b" is another candidate.
func TestExamples(t *testing.T) {
	// What stands in the way of some on purpose.
	codes := map[string]struct {
		code int
		says string
	}{
		"resign --force":            {1, "a#"}, // it is alive
		"unregister a":              {1, "holds the seat"},
		"evict --dry-run a b":       {1, "holds the seat"},
		"config set lease=6s":       {0, "10s -> 6s"},
		"raise-term --floor 1000":   {0, "the next tenure has term 1001"},
		"transfer --to b":           {0, "b#"},
		"config disable --wait":     {0, "true -> false"},
		"init --election mail":      {0, "made election mail"},
		"history --limit 3":         {0, "reason: vacancy"},
		"list --root fdbelection":   {0, `"leader": "a"`},
		"config set --dry-run":      {0, "nothing was written"},
		"evict":                     {0, "nobody to evict"},
		"unregister --force a":      {0, "gave up its seat"},
		"resign --timeout 30s":      {0, "has stepped down"},
		"config enable":             {0, "nothing to change"},
		"candidates --output json":  {0, `"silent": false`},
		"status --output json":      {0, `"id": "a"`},
		"config get --output json":  {0, `"heartbeat": "3.333333333s"`},
		"transfer --to b --timeout": {0, "b#"},
	}
	checked := make(map[string]bool)
	for _, name := range []string{
		"list", "status", "candidates", "history", "init", "config", "resign", "transfer", "evict", "unregister", "raise-term",
	} {
		a := &app{stdout: io.Discard, stderr: io.Discard}
		root := a.rootCommand()
		command, _, err := root.Find([]string{name})
		require.NoError(t, err)
		for _, c := range append([]*cobra.Command{command}, command.Commands()...) {
			require.NotEmpty(t, c.Long, c.CommandPath())
			require.NotEmpty(t, c.Example, c.CommandPath())
			for line := range strings.Lines(c.Example) {
				line = strings.TrimSpace(line)
				words := strings.Fields(line)
				require.Equal(t, "fdbelect", words[0])
				short := strings.Join(strings.Fields(strings.ReplaceAll(strings.Join(words[1:], " "), "--store file:/tmp/demo.db", "")), " ")
				require.NotContains(t, short, "--store", "%s: all examples name one store", line)
				t.Run(short, func(t *testing.T) {
					inLife(t, func(t *testing.T, l *live) {
						code, stdout, stderr := l.runs(words[1:]...)
						want, known := 0, ""
						for prefix, w := range codes {
							if strings.HasPrefix(short, prefix) && len(prefix) > len(known) {
								want, known = w.code, prefix
							}
						}
						require.Equal(t, want, code, "%s\n%s%s", line, stdout, stderr)
						checked[known] = true
						require.Contains(t, stdout+stderr, codes[known].says)
					})
				})
			}
		}
	}
	for prefix := range codes {
		require.True(t, checked[prefix], "no example begins with %q", prefix)
	}
}
