package cli

import (
	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/version"
)

func (a *app) versionCommand() *cobra.Command {
	var format output.Format
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show the version of this command, and what it was built with",
		Long: `version shows the version of the module, the revision of the build if it is recorded, the
version of Go, the platform, and the stores that it knows.`,
		Example: `  fdbelect version
  fdbelect version --output json`,
		Args: session.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			info := version.Own()
			info.Stores = a.Schemes()
			return a.Show(format, info, func() output.Table { return output.Table{Rows: info.Rows()} })
		},
	}
	format.AddFlag(cmd)
	return cmd
}
