package cli

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
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
	walk((&app{}).rootCommand())
	for code, means := range map[int]string{
		exitDone: "done", exitFailure: "failure", exitUsage: "wrong usage", exitNotLeader: "not the leader",
		exitUnreachable: "the store cannot be reached", exitTimedOut: "timed out", exitDuplicate: "`run`: another process is active under the same id",
		exitInterrupted: "a second interrupt", 128 + 9: "`run`: its command had to be killed",
	} {
		require.Contains(t, codes, fmt.Sprintf("\n| %d | %s", code, means))
		require.Contains(t, (&app{}).rootCommand().Long, fmt.Sprint(code))
	}
}

// Progress is one line, which changes at a bearable pace and leaves nothing.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		p := &progress{out: &out, clock: Virtual{}}
		p.done()
		p.say("one")
		p.say("too soon")
		l := live{t: t}
		l.pass(progressPace)
		p.say("two")
		p.done()
		require.Equal(t, "\r\x1b[Kone\r\x1b[Ktwo\r\x1b[K", out.String())
		none := (&app{stderr: &out, clock: Virtual{}}).newProgress()
		out.Reset()
		none.say("nobody looks")
		none.done()
		require.Empty(t, out.String(), "what is no terminal gets none")
	})
}
