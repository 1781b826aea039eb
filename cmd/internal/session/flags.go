package session

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection/cmd/internal/output"
)

// Access holds the flags that name an election and limit the wait for its store.
type Access struct {
	Place
	Timeout time.Duration
}

// DefaultTimeout is the default of --timeout.
const DefaultTimeout = 5 * time.Second

// AddTimeoutFlag adds --timeout.
func (x *Access) AddTimeoutFlag(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&x.Timeout, "timeout", DefaultTimeout, "how long to wait for the store")
}

// Report holds the flags of a subcommand that has --output.
type Report struct {
	Access
	Output output.Format
}

// AddFlags adds the flags that name an election, --timeout and --output.
func (r *Report) AddFlags(cmd *cobra.Command) {
	r.Place.AddFlags(cmd)
	r.AddTimeoutFlag(cmd)
	r.Output.AddFlag(cmd)
}

// AddGroupFlags adds the flags that name a group, --timeout and --output.
func (r *Report) AddGroupFlags(cmd *cobra.Command) {
	r.Place.AddGroupFlags(cmd)
	r.AddTimeoutFlag(cmd)
	r.Output.AddFlag(cmd)
}
