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

// The default of --timeout, and its help.
const (
	DefaultTimeout = 5 * time.Second
	TimeoutUsage   = "how long to wait for the store"
)

func (x *Access) addFlags(cmd *cobra.Command) {
	x.AddFlagsWith(cmd, DefaultTimeout, TimeoutUsage)
}

// AddFlagsWith is AddFlags with another timeout, for a subcommand that waits for more than
// the store.
func (x *Access) AddFlagsWith(cmd *cobra.Command, timeout time.Duration, usage string) {
	x.Place.AddFlags(cmd)
	x.AddTimeoutFlag(cmd, timeout, usage)
}

// AddTimeoutFlag adds --timeout.
func (x *Access) AddTimeoutFlag(cmd *cobra.Command, timeout time.Duration, usage string) {
	cmd.Flags().DurationVar(&x.Timeout, "timeout", timeout, usage)
}

// Report holds the flags of a subcommand that has --output.
type Report struct {
	Access
	Output output.Format
}

// AddFlags adds the flags that name an election, --timeout and --output.
func (r *Report) AddFlags(cmd *cobra.Command) {
	r.Access.addFlags(cmd)
	r.Output.AddFlag(cmd)
}
