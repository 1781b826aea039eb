package cli

import (
	"github.com/spf13/cobra"
)

func (a *app) versionCommand() *cobra.Command {
	var output format
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Show the version of this command, and what it was built with",
		Long: `version shows the version of the module, the revision it was built from where the
build recorded that, the version of Go, the platform, and the stores it knows.`,
		Example: `  fdbelect version
  fdbelect version --output json`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			info := ownVersion()
			info.Stores = a.schemes()
			return a.show(output, info, func() table { return table{rows: info.rows()} })
		},
	}
	output.addFlag(cmd)
	return cmd
}
