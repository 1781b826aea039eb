package cli

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection/cmd/internal/groups"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/internal/clock"
	"github.com/fdbelection/fdbelection/kv"
	"github.com/fdbelection/fdbelection/subspace"
)

func (a *app) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Write the completion script of a shell",
		Long: `completion writes a script for a shell. It completes subcommands and flags, the values of
--store and --output, and the names of elections and candidates, and of groups, shards and
members, if the store can be read within a second.

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
		"group":    a.completeGroups,
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

// completionLimit is how long a completion may take.
const completionLimit = time.Second

// lookUp reads the store that an incomplete command line names, and returns the texts that fn
// finds, those of them that a shell can read.
func lookUp(a *app, cmd *cobra.Command, fn func(s *session.Session, tr kv.ReadTransaction) ([]string, error)) ([]cobra.Completion, cobra.ShellCompDirective) {
	found, err := lookedUp(a, cmd, fn)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return printable(found), cobra.ShellCompDirectiveNoFileComp
}

func lookedUp(a *app, cmd *cobra.Command, fn func(s *session.Session, tr kv.ReadTransaction) ([]string, error)) ([]string, error) {
	if err := session.ReadEnvironment(cmd.Flags()); err != nil {
		return nil, err
	}
	x := session.Access{Place: session.Place{Flags: cmd.Flags()}, Timeout: completionLimit}
	for flag, value := range map[string]*string{"store": &x.Spec, "election": &x.Name, "root": &x.Root} {
		if f := cmd.Flags().Lookup(flag); f != nil {
			*value = f.Value.String()
		}
	}
	if f := cmd.Flags().Lookup("group"); f != nil && f.Value.String() != "" {
		x.Name, x.OfGroup = f.Value.String(), true
	}
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	ctx, cancel := clock.WithTimeout(ctx, a.Clock, completionLimit) // it includes the time to open the store
	defer cancel()
	s, err := a.OpenNamed(ctx, &x)
	if err != nil {
		return nil, err
	}
	defer s.End()
	return session.ReadTransact(ctx, s, func(tr kv.ReadTransaction) ([]string, error) { return fn(s, tr) })
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

// completeElections completes the elections below the root.
func (a *app) completeElections(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return lookUp(a, cmd, func(s *session.Session, tr kv.ReadTransaction) ([]string, error) {
		return namesBelow(s, tr, func(space subspace.Subspace, name string, tr kv.ReadTransaction) (listed, error) {
			_, err := election.New(space).ReadConfig(tr)
			return listed{Listed: report.Listed{Election: name}}, withoutInvalid(err) // a damaged election has a name, too
		})
	})
}

// completeGroups completes the groups below the root.
func (a *app) completeGroups(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return lookUp(a, cmd, func(s *session.Session, tr kv.ReadTransaction) ([]string, error) {
		return namesBelow(s, tr, func(space subspace.Subspace, name string, tr kv.ReadTransaction) (listed, error) {
			_, err := group.New(space).ReadConfig(tr)
			return listed{Listed: report.Listed{Group: name}}, withoutInvalid(err)
		})
	})
}

// namesBelow reads the first page of names below the root, which is enough for a completion.
func namesBelow(s *session.Session, tr kv.ReadTransaction, read listedReader) ([]string, error) {
	space, err := s.Access.Space()
	if err != nil {
		return nil, err
	}
	page, err := newPage(space, read).next(tr)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(page.found))
	for i := range page.found {
		names[i] = page.found[i].Name()
	}
	return names, nil
}

// completeCandidates completes the ids of the candidates.
func (a *app) completeCandidates(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return lookUp(a, cmd, func(s *session.Session, tr kv.ReadTransaction) ([]string, error) {
		candidates, err := s.Election.ListCandidates(tr)
		ids := make([]string, len(candidates))
		for i, c := range candidates {
			ids[i] = c.ID
		}
		if len(ids) > 0 {
			err = nil // an unreadable candidate does not hide the others
		}
		return ids, err
	})
}

// completeShards completes the names of the shards of a group.
func (a *app) completeShards(cmd *cobra.Command, _ []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.completeNames(cmd, group.KindShard, word)
}

// completeMembers completes the ids of the members of a group.
func (a *app) completeMembers(cmd *cobra.Command, _ []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.completeNames(cmd, group.KindMember, word)
}

// completeDrained completes the ids of the members of a group that an operator drains.
func (a *app) completeDrained(cmd *cobra.Command, _ []string, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return a.completeNames(cmd, group.KindDrain, word)
}

// completeNames completes the names of the records of one kind. A group may have many shards,
// so it reads only those that begin with the word.
func (a *app) completeNames(cmd *cobra.Command, kind group.Kind, word string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return lookUp(a, cmd, func(s *session.Session, tr kv.ReadTransaction) ([]string, error) {
		return groups.Names(s.Group, tr, kind, word)
	})
}
