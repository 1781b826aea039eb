package cli

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
)

func (a *app) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Write the completion script of a shell",
		Long: `completion writes a script for a shell. It completes subcommands and flags, the values of
--store and --output, and the names of elections and candidates if the store can be read
within a second.

  bash        source <(fdbelect completion bash), in ~/.bashrc
  zsh         fdbelect completion zsh > "${fpath[1]}/_fdbelect"
  fish        fdbelect completion fish > ~/.config/fish/completions/fdbelect.fish
  powershell  fdbelect completion powershell | Out-String | Invoke-Expression`,
		Example:               `  fdbelect completion bash`,
		Args:                  cobra.MatchAll(cobra.ExactArgs(1), cobra.OnlyValidArgs),
		ValidArgs:             []string{"bash", "zsh", "fish", "powershell"},
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "zsh":
				return root.GenZshCompletion(a.Stdout)
			case "fish":
				return root.GenFishCompletion(a.Stdout, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(a.Stdout)
			default:
				return root.GenBashCompletionV2(a.Stdout, true)
			}
		},
	}
}

// completeFlags adds completion of shared flags, and of ids, to every command.
func (a *app) completeFlags(root *cobra.Command) {
	for flag, complete := range map[string]cobra.CompletionFunc{
		"store":    a.completeStores,
		"election": a.completeElections,
		"to":       a.completeCandidates,
	} {
		if root.Flags().Lookup(flag) != nil {
			_ = root.RegisterFlagCompletionFunc(flag, complete) // it fails if the command has a completion of its own
		}
	}
	if (root.Name() == "evict" || root.Name() == "unregister") && root.ValidArgsFunction == nil {
		root.ValidArgsFunction = a.completeCandidates
	}
	for _, c := range root.Commands() {
		a.completeFlags(c)
	}
}

// completeStores completes the kinds of stores, and files after file:.
func (a *app) completeStores(_ *cobra.Command, _ []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	const noSpace = cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	scheme, rest, found := strings.Cut(word, ":")
	if !found {
		var all []cobra.Completion
		for _, s := range a.Schemes() {
			all = append(all, s+":")
		}
		return all, noSpace
	}
	if scheme == "mem" {
		return []cobra.Completion{word}, cobra.ShellCompDirectiveNoFileComp
	}
	files, _ := filepath.Glob(escapeGlob(rest) + "*")
	for i, file := range files {
		files[i] = scheme + ":" + file
	}
	return printable(files), noSpace
}

// escapeGlob escapes a path for filepath.Glob.
func escapeGlob(path string) string {
	if filepath.Separator == '\\' {
		return path // this system has no escape character
	}
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// completeElections completes the elections below the root.
func (a *app) completeElections(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	names, err := lookUp(a, cmd, electionNames)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return printable(names), cobra.ShellCompDirectiveNoFileComp
}

// completeCandidates completes the ids of the candidates.
func (a *app) completeCandidates(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	ids, err := lookUp(a, cmd, func(_ *session.Place, e *election.LeaderElection, tr kv.ReadTransaction) ([]string, error) {
		candidates, err := e.ListCandidates(tr)
		ids := make([]string, len(candidates))
		for i, c := range candidates {
			ids[i] = c.ID
		}
		if len(ids) > 0 {
			err = nil // an unreadable candidate does not hide the others
		}
		return ids, err
	})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return printable(ids), cobra.ShellCompDirectiveNoFileComp
}

// completionLimit is how long a completion may take.
const completionLimit = time.Second

// lookUp reads the store that an incomplete command line names.
func lookUp(a *app, cmd *cobra.Command, fn func(p *session.Place, e *election.LeaderElection, tr kv.ReadTransaction) ([]string, error)) ([]string, error) {
	if err := session.ReadEnvironment(cmd.Flags()); err != nil {
		return nil, err
	}
	x := session.Access{Place: session.Place{Flags: cmd.Flags()}, Timeout: completionLimit}
	for flag, value := range map[string]*string{"store": &x.Spec, "election": &x.Name, "root": &x.Root} {
		if f := cmd.Flags().Lookup(flag); f != nil {
			*value = f.Value.String()
		}
	}
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := clock.WithTimeout(ctx, a.Clock, completionLimit) // it includes the time to open the store
	defer cancel()
	return session.ReadOnce(ctx, a.Program, &x, func(e *election.LeaderElection, tr kv.ReadTransaction) ([]string, error) {
		return fn(&x.Place, e, tr)
	})
}

// printable leaves out names that a shell would misread: each name is a line, and a
// description follows a tab.
func printable(names []string) []cobra.Completion {
	var kept []cobra.Completion
	for _, name := range names {
		if election.SafeText(name) == name {
			kept = append(kept, name)
		}
	}
	return kept
}

// electionNames reads the first page of names below the root, which is enough for a completion.
func electionNames(p *session.Place, _ *election.LeaderElection, tr kv.ReadTransaction) ([]string, error) {
	space, err := p.Space()
	if err != nil {
		return nil, err
	}
	page, err := newPage(space, readName).next(tr)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(page.found))
	for i := range page.found {
		names[i] = page.found[i].Election
	}
	return names, nil
}

// readName only reads whether an election exists.
func readName(e *election.LeaderElection, name string, tr kv.ReadTransaction) (listed, error) {
	_, err := e.ReadConfig(tr)
	if errors.Is(err, fdbelection.ErrInvalidState) {
		err = nil // a damaged election has a name, too
	}
	return listed{Listed: report.Listed{Election: name}}, err
}
