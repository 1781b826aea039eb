package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
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
			config, err := session.ReadOnce(cmd.Context(), a.Program, &r.Access, func(e *election.LeaderElection, tr kv.ReadTransaction) (fdbelection.Config, error) {
				return e.ReadConfig(tr)
			})
			if err != nil {
				return err
			}
			return a.Show(r.Output, report.ConfigOf(config), func() output.Table {
				t := output.Table{Rows: [][]string{{"revision", fmt.Sprint(config.Revision)}}}
				for _, s := range records.Settings {
					t.Rows = append(t.Rows, []string{s.Name, s.Get(config)})
				}
				return t
			})
		},
	}
	r.AddFlags(cmd)
	return cmd
}

// configChange is one change of the config.
type configChange struct {
	session.Report
	revision uint64
	dryRun   bool
	whole    bool // set the defaults, and replace a damaged config
	apply    func(c *fdbelection.Config) error
}

func (c *configChange) addFlags(cmd *cobra.Command) {
	c.Report.AddFlags(cmd)
	cmd.Flags().Uint64Var(&c.revision, "revision", 0, "change only this revision of the config")
	cmd.Flags().BoolVar(&c.dryRun, "dry-run", false, "show what would change, and write nothing")
}

func (a *app) configSetCommand() *cobra.Command {
	var c configChange
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
			assignments, err := parseAssignments(args, c.whole)
			if err != nil {
				return err
			}
			c.apply = func(config *fdbelection.Config) error {
				if !c.whole {
					return setAll(config, assignments)
				}
				if err := setAll(config, assignments); err != nil { // the lease must be set first
					return err
				}
				setDefaults(config)
				return setAll(config, assignments)
			}
			return a.changeConfig(cmd.Context(), &c, cmd.Flags().Changed("revision"))
		},
	}
	c.addFlags(cmd)
	cmd.Flags().BoolVar(&c.whole, "defaults", false, "change to the defaults of the stored lease; replace a config that cannot be read")
	return cmd
}

// changeConfig makes a change and shows it.
func (a *app) changeConfig(ctx context.Context, c *configChange, conditional bool) error {
	if conditional && c.revision == 0 {
		return exit.Usage(errors.New("--revision is 0; revisions begin with 1, and \"config get\" shows the current one"))
	}
	nonce, err := a.NewNonce()
	if err != nil {
		return err
	}
	s, err := a.OpenElection(ctx, &c.Access, true)
	if err != nil {
		return err
	}
	defer s.End()
	var done changedConfig
	_, err = session.Transact(ctx, s, func(tr kv.Transaction) (none struct{}, err error) {
		done, err = c.once(s.Election, tr, nonce, done)
		return none, err
	})
	if err != nil {
		return err
	}
	return a.Show(c.Output, done, done.table)
}

// changedConfig is the output of a change.
type changedConfig struct {
	Changed  bool                 `json:"changed"`
	DryRun   bool                 `json:"dry_run"`
	Revision uint64               `json:"revision"` // after the change
	Changes  []records.Difference `json:"changes"`
	// Replaced says why the config could not be read. It is nil if it could.
	Replaced *records.Damaged `json:"replaced"`
}

// once makes the change in one attempt of the transaction. An earlier attempt that was
// committed although its answer was lost is recognised by its nonce. Its result is
// returned then.
func (c *configChange) once(e *election.LeaderElection, tr kv.Transaction, nonce uuid.UUID, earlier changedConfig) (changedConfig, error) {
	before, err := e.ReadConfig(tr)
	switch {
	case c.whole && c.revision == 0 && replaceable(err):
		return c.replace(e, tr, nonce, err)
	case err != nil:
		return earlier, err
	case uuid.UUID(before.Nonce) == nonce:
		return earlier, nil
	case c.revision != 0 && before.Revision != c.revision:
		return earlier, fmt.Errorf("%w (it is at revision %d, --revision says %d)", fdbelection.ErrConfigChanged, before.Revision, c.revision)
	}
	after := before
	if err := c.apply(&after); err != nil {
		return earlier, err
	}
	if err := validated(after); err != nil {
		return earlier, err
	}
	done := changedConfig{DryRun: c.dryRun, Revision: before.Revision, Changes: records.Differences(before, after)}
	if after.SameSettings(before) || c.dryRun {
		return done, nil
	}
	after.Nonce = nonce
	after, err = e.WriteConfig(tr, after)
	done.Changed, done.Revision = err == nil, after.Revision
	return done, err
}

// replace writes a complete config in place of one that cannot be read.
func (c *configChange) replace(e *election.LeaderElection, tr kv.Transaction, nonce uuid.UUID, why error) (changedConfig, error) {
	config := fdbelection.DefaultConfig()
	if err := c.apply(&config); err != nil {
		return changedConfig{}, err
	}
	config = records.DefaultConfig(config.LeaseDuration) // heartbeat and timeout follow from the lease
	if err := c.apply(&config); err != nil {
		return changedConfig{}, err
	}
	if err := validated(config); err != nil {
		return changedConfig{}, err
	}
	done := changedConfig{DryRun: c.dryRun, Replaced: &records.DamagedIn(why)[0]}
	for _, s := range records.Settings {
		done.Changes = append(done.Changes, records.Difference{Setting: s.Name, From: "unreadable", To: s.Get(config)})
	}
	if c.dryRun {
		return done, nil
	}
	config.Nonce = nonce
	config, err := e.WriteConfig(tr, config)
	done.Changed, done.Revision = err == nil, config.Revision
	return done, err
}

// replaceable reports whether no version can read a config.
func replaceable(err error) bool {
	invalid := records.InvalidIn(err)
	return len(invalid) > 0 && !invalid[0].Newer
}

func validated(c fdbelection.Config) error {
	if err := c.Validate(); err != nil {
		return exit.Usage(fmt.Errorf("%w; nothing was changed. Set related settings in one command", bySettings(err)))
	}
	return nil
}

func (d changedConfig) table() output.Table {
	var t output.Table
	if d.Replaced != nil {
		t.Rows = append(
			t.Rows,
			[]string{fmt.Sprintf("config at key %s: %s", d.Replaced.Key, d.Replaced.Problem)},
			[]string{output.Either(d.DryRun, "the config cannot be read, and would be replaced completely:", "the config could not be read, and was replaced completely: check each setting")},
		)
	}
	for _, change := range d.Changes {
		t.Rows = append(t.Rows, []string{change.Setting, change.From + " -> " + change.To})
	}
	var outcome string
	switch {
	case len(d.Changes) == 0:
		outcome = fmt.Sprintf("nothing to change: revision %d has these settings", d.Revision)
	case d.DryRun && d.Replaced != nil:
		outcome = "dry run: nothing was written"
	case d.DryRun:
		outcome = fmt.Sprintf("dry run: nothing was written, the revision is still %d", d.Revision)
	default:
		outcome = fmt.Sprintf("revision %d is written, and applies from the next claim or renewal", d.Revision)
	}
	t.Rows = append(t.Rows, []string{outcome})
	return t
}

func (a *app) configEnableCommand() *cobra.Command {
	c := configChange{apply: func(c *fdbelection.Config) error { c.ElectionEnabled = true; return nil }}
	cmd := &cobra.Command{
		Use:     "enable --store STORE [flags]",
		Short:   "Let the candidates claim and renew again",
		Long:    `enable lets the candidates claim and renew. It does nothing if the election is enabled.`,
		Example: `  fdbelect config enable --store file:/tmp/demo.db`,
		Args:    session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.changeConfig(cmd.Context(), &c, cmd.Flags().Changed("revision"))
		},
	}
	c.addFlags(cmd)
	return cmd
}

func (a *app) configDisableCommand() *cobra.Command {
	c := configChange{apply: func(c *fdbelection.Config) error { c.ElectionEnabled = false; return nil }}
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
			if err := a.changeConfig(cmd.Context(), &c, cmd.Flags().Changed("revision")); err != nil || !wait {
				return err
			}
			return a.awaitVacancy(cmd.Context(), &c.Access, limit)
		},
	}
	c.addFlags(cmd)
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until leadership is vacant")
	return cmd
}
