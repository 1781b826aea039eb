package cli

import (
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
)

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Show or change the config, enable or disable the election",
		Long: `config shows or changes the config, which all processes share. A change applies from the
next claim or renewal. No process needs a restart.`,
		Example: `  fdbelect config get --store file:/tmp/demo.db
  fdbelect config set --store file:/tmp/demo.db lease=6s heartbeat=2s
  fdbelect config disable --store file:/tmp/demo.db
  fdbelect config enable --store file:/tmp/demo.db`,
		Args: knownCommand,
		RunE: func(*cobra.Command, []string) error {
			return exit.Usage(errors.New("give a subcommand: get, set, enable or disable"))
		},
	}
	cmd.AddCommand(a.configGetCommand(), a.configSetCommand(), a.configEnableCommand(), a.configDisableCommand())
	return cmd
}

func (a *app) configGetCommand() *cobra.Command {
	var r session.Report
	cmd := &cobra.Command{
		Use:   "get --store STORE [flags]",
		Short: "Show the config",
		Long: `get shows each setting by its name in "config set", and the revision, which rises with
each change. A margin of "default" is a tenth of the lease. JSON and YAML show its length.`,
		Example: `  fdbelect config get --store file:/tmp/demo.db
  fdbelect config get --store file:/tmp/demo.db --output json`,
		Args: session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return showConfig(cmd.Context(), a, electionConfigs, &r)
		},
	}
	r.AddFlags(cmd)
	return cmd
}

func (a *app) configSetCommand() *cobra.Command {
	c := configChange[fdbelection.Config]{kind: electionConfigs}
	cmd := &cobra.Command{
		Use:   "set --store STORE [flags] KEY=VALUE...",
		Short: "Change settings, and show the difference",
		Long: `set changes the named settings and keeps all others. It validates the complete config, and
names every fault. It writes nothing if there is a fault. The settings:

  lease, heartbeat, candidate_timeout, margin, preemption_grace, minimum_tenure,
  preempt_delay      durations such as 10s; margin may be "default"
  expiry             observation or clock
  preemption, enabled  true or false
  history_limit      a number of terms

The change applies to the revision that is read in the same transaction. If two operators
change different settings at once, both changes are made. With --revision it applies to that
revision only, and fails with 1 if the config has changed since.

--defaults changes a config to the defaults of its lease: expiry by observation, and a
preemption grace, a minimum tenure and a preempt delay of one lease. All other settings
stay, unless they are named as well. Running processes adopt the new config with their next
heartbeat and need no restart. The leader continues to lead.

A config that cannot be read is replaced completely by --defaults: the lease is 10s and the
election enabled, unless you name other values. Check each setting.`,
		Example: `  fdbelect config set --store file:/tmp/demo.db lease=6s heartbeat=2s
  fdbelect config set --store file:/tmp/demo.db --dry-run preemption_grace=30s
  fdbelect config set --store file:/tmp/demo.db --defaults`,
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

func (a *app) configEnableCommand() *cobra.Command {
	c := configChange[fdbelection.Config]{kind: electionConfigs, apply: func(c *fdbelection.Config) error { c.ElectionEnabled = true; return nil }}
	cmd := &cobra.Command{
		Use:     "enable --store STORE [flags]",
		Short:   "Let the candidates claim and renew again",
		Long:    `enable lets the candidates claim and renew. It does nothing if the election is enabled.`,
		Example: `  fdbelect config enable --store file:/tmp/demo.db`,
		Args:    session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return changeConfig(cmd.Context(), a, &c, cmd.Flags().Changed("revision"))
		},
	}
	c.addFlags(cmd)
	return cmd
}

func (a *app) configDisableCommand() *cobra.Command {
	c := configChange[fdbelection.Config]{kind: electionConfigs, apply: func(c *fdbelection.Config) error { c.ElectionEnabled = false; return nil }}
	var wait bool
	cmd := &cobra.Command{
		Use:   "disable --store STORE [flags]",
		Short: "Forbid claims and renewals, so that there is no leader",
		Long: strings.TrimSpace(`
disable forbids claims and renewals. The leader learns of it with its next heartbeat, stops
its work before its lease expires, and resigns. Candidates continue to send heartbeats, so
they are all registered when you enable the election again. It does nothing if the election
is disabled.

With --wait it returns when leadership is vacant, and ends with 5 if that takes longer than
--timeout. A leader that has died stays in the leader record: see "resign
--force".`),
		Example: `  fdbelect config disable --store file:/tmp/demo.db
  fdbelect config disable --store file:/tmp/demo.db --wait --timeout 1m`,
		Args: session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if wait && c.dryRun {
				return exit.Usage(errors.New("use either --wait or --dry-run"))
			}
			limit := c.Timeout
			if wait && limit > 0 {
				c.Timeout = max(limit, session.DefaultTimeout) // the store has its usual time, however short the wait is
			}
			if err := changeConfig(cmd.Context(), a, &c, cmd.Flags().Changed("revision")); err != nil || !wait {
				return err
			}
			return a.awaitVacancy(cmd.Context(), &c.Access, limit)
		},
	}
	c.addFlags(cmd)
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until leadership is vacant")
	return cmd
}
