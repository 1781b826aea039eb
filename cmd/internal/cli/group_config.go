package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
)

var groupConfigs = &configKind[group.Config]{
	settings: records.GroupSettings,
	flags:    (*session.Report).AddGroupFlags,
	open:     (*session.Program).OpenGroup,
	read: func(s *session.Session, tr kv.ReadTransaction) (group.Config, error) {
		return s.Group.ReadConfig(tr)
	},
	write: func(s *session.Session, tr kv.Transaction, c group.Config) (group.Config, error) {
		return s.Group.WriteConfig(tr, c)
	},
	stamp:     func(c *group.Config) (*uint64, *[16]byte) { return &c.Revision, &c.Nonce },
	defaultOf: func(c group.Config) group.Config { return records.DefaultGroupConfig(leaseOr(c.LeaseDuration)) },
	restore: func(c *group.Config) {
		of := records.DefaultGroupConfig(c.LeaseDuration)
		of.Enabled, of.Revision, of.Nonce = c.Enabled, c.Revision, c.Nonce
		*c = of
	},
	report:  func(c group.Config) any { return report.GroupConfigOf(c) },
	applies: "the next heartbeat of each member",
}

func (a *app) groupConfigCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show or change the config of a group, enable or disable it",
		Long: `config shows or changes the config of a group, which all members share. A change applies from
the next heartbeat of each member. No process needs a restart.`,
		Example: `  fdbelect group config get --store file:/tmp/demo.db
  fdbelect group config set --store file:/tmp/demo.db lease=6s heartbeat=2s
  fdbelect group config disable --store file:/tmp/demo.db
  fdbelect group config enable --store file:/tmp/demo.db`,
		Args: knownCommand,
		RunE: func(*cobra.Command, []string) error {
			return exit.Usage(errors.New("give a subcommand: get, set, enable or disable"))
		},
	}
	cmd.AddCommand(a.groupConfigGetCommand(), a.groupConfigSetCommand(), a.groupConfigEnableCommand(), a.groupConfigDisableCommand())
	return cmd
}

func (a *app) groupConfigGetCommand() *cobra.Command {
	var r session.Report
	cmd := &cobra.Command{
		Use:   "get --store STORE [flags]",
		Short: "Show the config of a group",
		Long: `get shows each setting by its name in "group config set", and the revision, which rises with
each change. A margin of "default" is a tenth of the lease. JSON and YAML show its length.`,
		Example: `  fdbelect group config get --store file:/tmp/demo.db
  fdbelect group config get --store file:/tmp/demo.db --output json`,
		Args: session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return showConfig(cmd.Context(), a, groupConfigs, &r) },
	}
	r.AddGroupFlags(cmd)
	return cmd
}

func (a *app) groupConfigSetCommand() *cobra.Command {
	c := configChange[group.Config]{kind: groupConfigs}
	cmd := &cobra.Command{
		Use:   "set --store STORE [flags] KEY=VALUE...",
		Short: "Change settings of a group, and show the difference",
		Long: `set changes the named settings and keeps all others. It validates the complete config, and
names every fault. It writes nothing if there is a fault. The settings:

  lease          how long a member counts as alive without a heartbeat, such as 10s
  heartbeat      time between two heartbeats
  margin         how long before the end of its lease a member stops leading, or "default"
  settle_delay   how long a member waits after it has joined before it receives shards, and
                 how long a shard that was moved for balance stays
  max_moves      how many shards a member moves for balance at a time
  retention      how long the log of changes is kept
  enabled        true or false

The change applies to the revision that is read in the same transaction. If two operators
change different settings at once, both changes are made. With --revision it applies to that
revision only, and fails with 1 if the config has changed since.

--defaults changes every setting except enabled to the default of the lease, unless you name
it as well. A config that cannot be read is replaced completely: the lease is 10s and the
group enabled, unless you name other values. Check each setting.`,
		Example: `  fdbelect group config set --store file:/tmp/demo.db lease=6s heartbeat=2s
  fdbelect group config set --store file:/tmp/demo.db --dry-run max_moves=100
  fdbelect group config set --store file:/tmp/demo.db --defaults`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := c.assign(args); err != nil {
				return err
			}
			return changeConfig(cmd.Context(), a, &c, cmd.Flags().Changed("revision"))
		},
	}
	c.addFlags(cmd)
	cmd.Flags().BoolVar(&c.whole, "defaults", false, "change to the defaults of the stored lease; replace a config that cannot be read")
	return cmd
}

// groupConfigSwitch is "enable" or "disable".
func (a *app) groupConfigSwitch(cmd *cobra.Command, enabled bool) *cobra.Command {
	c := configChange[group.Config]{kind: groupConfigs, apply: func(c *group.Config) error { c.Enabled = enabled; return nil }}
	cmd.Args = session.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return changeConfig(cmd.Context(), a, &c, cmd.Flags().Changed("revision"))
	}
	c.addFlags(cmd)
	return cmd
}

func (a *app) groupConfigEnableCommand() *cobra.Command {
	return a.groupConfigSwitch(&cobra.Command{
		Use:     "enable --store STORE [flags]",
		Short:   "Let the members lead shards again",
		Long:    `enable lets the members claim shards. It does nothing if the group is enabled.`,
		Example: `  fdbelect group config enable --store file:/tmp/demo.db`,
	}, true)
}

func (a *app) groupConfigDisableCommand() *cobra.Command {
	return a.groupConfigSwitch(&cobra.Command{
		Use:   "disable --store STORE [flags]",
		Short: "Forbid that a member leads, so that all shards become vacant",
		Long: `disable forbids claims. Every member learns of it with its next heartbeat, stops its work and
releases its shards. Heartbeats go on, so all members are there when you enable the group
again. "fdbelect group status" shows how many shards are still led. It does nothing if the
group is disabled.`,
		Example: `  fdbelect group config disable --store file:/tmp/demo.db`,
	}, false)
}
