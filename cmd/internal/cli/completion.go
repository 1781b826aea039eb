package cli

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
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

// completeFlags teaches every command how to complete the flags that several of
// them have, and ids of candidates.
func (a *app) completeFlags(root *cobra.Command) {
	for flag, complete := range map[string]cobra.CompletionFunc{
		"store":    a.completeStores,
		"election": a.completeElections,
		"to":       a.completeCandidates,
	} {
		if root.Flags().Lookup(flag) != nil {
			_ = root.RegisterFlagCompletionFunc(flag, complete) // it fails where the command has its own
		}
	}
	if (root.Name() == "evict" || root.Name() == "unregister") && root.ValidArgsFunction == nil {
		root.ValidArgsFunction = a.completeCandidates
	}
	for _, c := range root.Commands() {
		a.completeFlags(c)
	}
}

// completeStores offers the kinds of stores, and behind file: the files.
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

// escapeGlob has filepath.Glob take a beginning as it stands.
func escapeGlob(path string) string {
	if filepath.Separator == '\\' {
		return path // there is nothing to escape with
	}
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// completeElections offers the elections below the root.
func (a *app) completeElections(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	names, err := lookUp(a, cmd, electionNames)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return printable(names), cobra.ShellCompDirectiveNoFileComp
}

// completeCandidates offers the ids of the candidates.
func (a *app) completeCandidates(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	ids, err := lookUp(a, cmd, func(_ *session.Place, e *election.LeaderElection, tr kv.ReadTransaction) ([]string, error) {
		candidates, err := e.ListCandidates(tr)
		ids := make([]string, len(candidates))
		for i, c := range candidates {
			ids[i] = c.ID
		}
		if len(ids) > 0 {
			err = nil // one that cannot be read hides no other
		}
		return ids, err
	})
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return printable(ids), cobra.ShellCompDirectiveNoFileComp
}

// completionTime is how long a reader who has pressed the tab key is kept
// waiting.
const completionTime = time.Second

// lookUp reads the store that a half-typed command names.
func lookUp(a *app, cmd *cobra.Command, fn func(p *session.Place, e *election.LeaderElection, tr kv.ReadTransaction) ([]string, error)) ([]string, error) {
	if err := session.ReadEnvironment(cmd.Flags()); err != nil {
		return nil, err
	}
	x := session.Access{Place: session.Place{Flags: cmd.Flags()}, Timeout: completionTime}
	for flag, value := range map[string]*string{"store": &x.Spec, "election": &x.Name, "root": &x.Root} {
		if f := cmd.Flags().Lookup(flag); f != nil {
			*value = f.Value.String()
		}
	}
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := clock.WithTimeout(ctx, a.Clock, completionTime) // opening the store counts
	defer cancel()
	return session.ReadOnce(ctx, a.Program, &x, func(e *election.LeaderElection, tr kv.ReadTransaction) ([]string, error) {
		return fn(&x.Place, e, tr)
	})
}

// printable leaves out what a shell would not read as it is: each name is a line
// of its own, and what follows a tab is a description.
func printable(names []string) []cobra.Completion {
	var kept []cobra.Completion
	for _, name := range names {
		if election.SafeText(name) == name {
			kept = append(kept, name)
		}
	}
	return kept
}

// electionNames reads the first names below the root: more than a reader would
// read.
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

// readName reads of an election only whether it is one.
func readName(e *election.LeaderElection, name string, tr kv.ReadTransaction) (listed, error) {
	_, err := e.ReadConfig(tr)
	if errors.Is(err, fdbelection.ErrInvalidState) {
		err = nil // it is damaged, and can be named all the same
	}
	return listed{Election: name}, err
}
