package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/kv"
)

// storedConfig is the config of an election or of a group.
type storedConfig[C any] interface {
	SameSettings(other C) bool
	Validate() error
}

// configKind says how the configs of one kind are read, changed and shown.
type configKind[C storedConfig[C]] struct {
	settings []records.Setting[C]
	flags    func(r *session.Report, cmd *cobra.Command)
	open     func(p *session.Program, ctx context.Context, x *session.Access, mustExist bool) (*session.Session, error)
	read     func(s *session.Session, tr kv.ReadTransaction) (C, error)
	write    func(s *session.Session, tr kv.Transaction, c C) (C, error)
	// stamp returns the revision and the nonce of a config.
	stamp func(c *C) (revision *uint64, nonce *[16]byte)
	// defaultOf returns the default config for the lease of a config. restore sets what
	// "config set --defaults" sets.
	defaultOf func(c C) C
	restore   func(c *C)
	report    func(c C) any
	// applies says from when a change applies.
	applies string
}

var electionConfigs = &configKind[fdbelection.Config]{
	settings: records.Settings,
	flags:    (*session.Report).AddFlags,
	open:     (*session.Program).OpenElection,
	read: func(s *session.Session, tr kv.ReadTransaction) (fdbelection.Config, error) {
		return s.Election.ReadConfig(tr)
	},
	write: func(s *session.Session, tr kv.Transaction, c fdbelection.Config) (fdbelection.Config, error) {
		return s.Election.WriteConfig(tr, c)
	},
	stamp:     func(c *fdbelection.Config) (*uint64, *[16]byte) { return &c.Revision, &c.Nonce },
	defaultOf: func(c fdbelection.Config) fdbelection.Config { return records.DefaultConfig(leaseOr(c.LeaseDuration)) },
	restore:   setDefaults,
	report:    func(c fdbelection.Config) any { return report.ConfigOf(c) },
	applies:   "the next claim or renewal",
}

// leaseOr returns a lease, or that of the default config if it is not known.
func leaseOr(lease time.Duration) time.Duration {
	if lease == 0 {
		return fdbelection.DefaultLeaseDuration
	}
	return lease
}

// showConfig shows a config.
func showConfig[C storedConfig[C]](ctx context.Context, a *app, kind *configKind[C], r *session.Report) error {
	s, err := kind.open(a.Program, ctx, &r.Access, true)
	if err != nil {
		return err
	}
	defer s.End()
	config, err := session.ReadTransact(ctx, s, func(tr kv.ReadTransaction) (C, error) { return kind.read(s, tr) })
	if err != nil {
		return err
	}
	return a.Show(r.Output, kind.report(config), func() output.Table {
		revision, _ := kind.stamp(&config)
		t := output.Table{Rows: [][]string{{"revision", fmt.Sprint(*revision)}}}
		for _, s := range kind.settings {
			t.Rows = append(t.Rows, []string{s.Name, s.Get(config)})
		}
		return t
	})
}

// configChange is one change of a config.
type configChange[C storedConfig[C]] struct {
	session.Report
	kind     *configKind[C]
	revision uint64
	dryRun   bool
	whole    bool // set the defaults, and replace a damaged config
	apply    func(c *C) error
}

func (c *configChange[C]) addFlags(cmd *cobra.Command) {
	c.kind.flags(&c.Report, cmd)
	cmd.Flags().Uint64Var(&c.revision, "revision", 0, "change only this revision of the config")
	cmd.Flags().BoolVar(&c.dryRun, "dry-run", false, "show what would change, and write nothing")
}

// assign makes the change from KEY=VALUE pairs.
func (c *configChange[C]) assign(args []string) error {
	assignments, err := parseAssignments(c.kind.settings, args, c.whole)
	c.apply = func(config *C) error {
		if !c.whole {
			return setAll(config, assignments)
		}
		if err := setAll(config, assignments); err != nil { // the lease must be set first
			return err
		}
		c.kind.restore(config)
		return setAll(config, assignments)
	}
	return err
}

// changeConfig makes a change and shows it.
func changeConfig[C storedConfig[C]](ctx context.Context, a *app, c *configChange[C], conditional bool) error {
	if conditional && c.revision == 0 {
		return exit.Usage(errors.New("--revision is 0; revisions begin with 1, and \"config get\" shows the current one"))
	}
	nonce, err := a.NewNonce()
	if err != nil {
		return err
	}
	s, err := c.kind.open(a.Program, ctx, &c.Access, true)
	if err != nil {
		return err
	}
	defer s.End()
	var done changedConfig
	_, err = session.Transact(ctx, s, func(tr kv.Transaction) (none struct{}, err error) {
		done, err = c.once(s, tr, nonce, done)
		return none, err
	})
	if err != nil {
		return err
	}
	return a.Show(c.Output, done, func() output.Table { return done.table(c.kind.applies) })
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
func (c *configChange[C]) once(s *session.Session, tr kv.Transaction, nonce uuid.UUID, earlier changedConfig) (changedConfig, error) {
	before, err := c.kind.read(s, tr)
	revision, stored := c.kind.stamp(&before)
	switch {
	case c.whole && c.revision == 0 && replaceable(err):
		return c.replace(s, tr, nonce, err)
	case err != nil:
		return earlier, err
	case uuid.UUID(*stored) == nonce:
		return earlier, nil
	case c.revision != 0 && *revision != c.revision:
		return earlier, fmt.Errorf("%w (it is at revision %d, --revision says %d)", fdbelection.ErrConfigChanged, *revision, c.revision)
	}
	after := before
	if err := c.apply(&after); err != nil {
		return earlier, err
	}
	if err := c.validated(after); err != nil {
		return earlier, err
	}
	done := changedConfig{DryRun: c.dryRun, Revision: *revision, Changes: records.Differences(c.kind.settings, before, after)}
	if after.SameSettings(before) || c.dryRun {
		return done, nil
	}
	done.Changed, done.Revision, err = c.write(s, tr, after, nonce)
	return done, err
}

// replace writes a complete config in place of one that cannot be read.
func (c *configChange[C]) replace(s *session.Session, tr kv.Transaction, nonce uuid.UUID, why error) (changedConfig, error) {
	config := c.kind.defaultOf(*new(C))
	if err := c.apply(&config); err != nil {
		return changedConfig{}, err
	}
	config = c.kind.defaultOf(config) // heartbeat and timeout follow from the lease
	if err := c.apply(&config); err != nil {
		return changedConfig{}, err
	}
	if err := c.validated(config); err != nil {
		return changedConfig{}, err
	}
	done := changedConfig{DryRun: c.dryRun, Replaced: &records.DamagedIn(why)[0]}
	for _, setting := range c.kind.settings {
		done.Changes = append(done.Changes, records.Difference{Setting: setting.Name, From: "unreadable", To: setting.Get(config)})
	}
	if c.dryRun {
		return done, nil
	}
	var err error
	done.Changed, done.Revision, err = c.write(s, tr, config, nonce)
	return done, err
}

// write writes a config in place of the revision that it names.
func (c *configChange[C]) write(s *session.Session, tr kv.Transaction, config C, nonce uuid.UUID) (changed bool, revision uint64, err error) {
	_, own := c.kind.stamp(&config)
	*own = nonce
	config, err = c.kind.write(s, tr, config)
	now, _ := c.kind.stamp(&config)
	return err == nil, *now, err
}

// replaceable reports whether no version can read a config.
func replaceable(err error) bool {
	invalid := records.InvalidIn(err)
	return len(invalid) > 0 && !invalid[0].Newer
}

func (c *configChange[C]) validated(config C) error {
	if err := config.Validate(); err != nil {
		return exit.Usage(fmt.Errorf("%w; nothing was changed. Set related settings in one command", bySettings(c.kind.settings, err)))
	}
	return nil
}

func (d changedConfig) table(applies string) output.Table {
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
		outcome = fmt.Sprintf("revision %d is written, and applies from %s", d.Revision, applies)
	}
	t.Rows = append(t.Rows, []string{outcome})
	return t
}
