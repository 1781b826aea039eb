package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/election"
)

// helpTemplate is the help of a command: examples first, then the usage, the
// description and the flags.
const helpTemplate = `{{if .HasExample}}Examples:
{{.Example}}

{{end}}Usage:{{if .Runnable}}
  {{.UseLine}}{{end}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} COMMAND{{end}}

{{with (or .Long .Short)}}{{. | trimTrailingWhitespaces}}
{{end}}{{if .HasAvailableSubCommands}}
Commands:{{range .Commands}}{{if (or .IsAvailableCommand (eq .Name "help"))}}
  {{rpad .Name .NamePadding}} {{.Short}}{{end}}{{end}}
{{end}}{{if .HasAvailableLocalFlags}}
Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}
{{end}}{{if .HasAvailableSubCommands}}
"{{.CommandPath}} COMMAND --help" says more about a command.
{{end}}`

// help shows the help of a command.
func help(cmd *cobra.Command, args []string) error {
	about, err := commandOf(cmd.Root(), args)
	if err != nil {
		return exit.Usage(err)
	}
	about.InitDefaultHelpFlag()
	return about.Help()
}

// commandOf finds a command by its name and the names of its parents.
func commandOf(root *cobra.Command, names []string) (*cobra.Command, error) {
	found, rest, err := root.Find(names)
	if err != nil {
		return nil, err
	}
	if len(rest) > 0 {
		return nil, noCommand(found, rest[0])
	}
	return found, nil
}

// knownCommand is for commands that only have subcommands.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return noCommand(cmd, args[0])
	}
	return nil
}

// noCommand says that a command has no such subcommand, and suggests similar names.
func noCommand(above *cobra.Command, name string) error {
	text := fmt.Sprintf("there is no command %s", election.SafeText(strings.TrimPrefix(above.CommandPath()+" "+name, "fdbelect ")))
	above.SuggestionsMinimumDistance = 2
	if meant := above.SuggestionsFor(name); len(meant) > 0 {
		text += "; did you mean " + strings.Join(meant, " or ") + "?"
	}
	return errors.New(text)
}
