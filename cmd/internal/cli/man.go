package cli

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/version"
	"github.com/fdbelection/fdbelection/election"
)

func (a *app) manCommand() *cobra.Command {
	var directory string
	cmd := &cobra.Command{
		Use:   "man [COMMAND...]",
		Short: "Write the man page of a command, or all of them to a directory",
		Long: `man writes a man page to stdout: that of fdbelect, or of the command that you name. With
--directory it writes one file for each command.

The date of a page is SOURCE_DATE_EPOCH, or else that of the revision of the build, so that
the same source gives the same bytes.`,
		Example: `  fdbelect man run
  fdbelect man config set
  fdbelect man --directory /tmp`,
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			root.DisableAutoGenTag = true
			date, err := manDate()
			if err != nil {
				return err
			}
			if directory != "" {
				if len(args) > 0 {
					return exit.Usage(errors.New("--directory writes all pages; leave the command out"))
				}
				return writeManPages(root, directory, date)
			}
			page, err := commandOf(root, args)
			if err != nil {
				return exit.Usage(err)
			}
			text, err := manPage(page, date)
			if err == nil {
				_, err = a.Stdout.Write(text)
			}
			return err
		},
	}
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) (names []cobra.Completion, _ cobra.ShellCompDirective) {
		if above, err := commandOf(cmd.Root(), args); err == nil {
			for _, c := range above.Commands() {
				if hasPage(c) {
					names = append(names, c.Name())
				}
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	cmd.Flags().StringVar(&directory, "directory", "", "write all pages to this directory, which must exist")
	return cmd
}

// manDate returns the date of the pages. It is the same in each build of one source.
func manDate() (time.Time, error) {
	if epoch := os.Getenv("SOURCE_DATE_EPOCH"); epoch != "" {
		seconds, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH is %s; it must be a number of seconds", election.SafeText(epoch))
		}
		return time.Unix(seconds, 0).UTC(), nil
	}
	if date, err := time.Parse(time.RFC3339, version.Own().Time); err == nil {
		return date.UTC(), nil
	}
	return time.Unix(0, 0).UTC(), nil
}

// documented returns a command and all commands below it that have a page.
func documented(root *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{root}
	for _, c := range root.Commands() {
		if hasPage(c) {
			all = append(all, documented(c)...)
		}
	}
	return all
}

func hasPage(c *cobra.Command) bool {
	return c.IsAvailableCommand() && !c.IsAdditionalHelpTopicCommand()
}

// manPage returns the page of one command.
func manPage(c *cobra.Command, date time.Time) ([]byte, error) {
	c.InitDefaultHelpCmd()
	c.InitDefaultHelpFlag()
	var page bytes.Buffer
	err := doc.GenMan(c, &doc.GenManHeader{Section: "1", Source: "fdbelection", Manual: "fdbelect", Date: &date}, &page)
	return page.Bytes(), err
}

// writeManPages writes the page of each command to a file.
func writeManPages(root *cobra.Command, directory string, date time.Time) error {
	for _, c := range documented(root) {
		page, err := manPage(c, date)
		if err != nil {
			return err
		}
		name := manName(c) + ".1"
		if err := os.WriteFile(filepath.Join(directory, name), page, 0o644); err != nil { //nolint:gosec // manuals are public
			return err
		}
	}
	return nil
}

// manName returns the name by which the pages refer to each other, such as
// "fdbelect-config-set".
func manName(c *cobra.Command) string {
	name := c.Name()
	for p := c.Parent(); p != nil; p = p.Parent() {
		name = p.Name() + "-" + name
	}
	return name
}
