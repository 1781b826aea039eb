package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/groups"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/group"
	"github.com/fdbelection/fdbelection/kv"
)

// createFlags are the flags of "group create". Settings that are not given follow from the
// lease.
type createFlags struct {
	session.Report
	shards   int
	nameFile string

	lease, heartbeat, margin, settleDelay, retention time.Duration
	maxMoves                                         int
	disabled                                         bool
}

// maxShards bounds --shards against a slip of the finger.
const maxShards = 1_000_000

func (a *app) groupCreateCommand() *cobra.Command {
	var f createFlags
	cmd := &cobra.Command{
		Use:   "create --store STORE [flags] [NAME]",
		Short: "Create a group with a config and shards, or add shards to one",
		Long: `create creates a group, so that it has its config and its shards before the first member
starts. NAME is the name of the group; without it, --group is.

--shards N makes the shards shard-0000 to N-1. --shard-names FILE makes one for each line of
a file, or of stdin if FILE is "-". Shards that exist stay as they are, so create can run
again after an interruption, and adds the shards that are missing. It writes 500 of them in
a transaction.

What you do not give follows from the lease: the heartbeat and the settle delay are a third
of it (3s of 10s). If the group exists already, the flags that you give must match its
config. Otherwise create lists the differences, changes nothing and ends with 1: "group
config set" changes them.`,
		Example: `  fdbelect group create --store file:/tmp/demo.db --shards 1024
  fdbelect group create --store file:/tmp/demo.db --shard-names tenants.txt --lease 6s tenants`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.place(cmd, args); err != nil {
				return err
			}
			return a.createGroup(cmd.Context(), &f, cmd.Flags())
		},
	}
	f.AddGroupFlags(cmd)
	flags := cmd.Flags()
	flags.IntVar(&f.shards, "shards", 0, "how many shards the group has, named shard-0000 and so on")
	flags.StringVar(&f.nameFile, "shard-names", "", "file with the names of the shards, one per line; - is stdin")
	flags.DurationVar(&f.lease, "lease", fdbelection.DefaultLeaseDuration, "how long a member counts as alive without a heartbeat")
	flags.DurationVar(&f.heartbeat, "heartbeat", 0, "time between two heartbeats (default: a third of the lease)")
	flags.DurationVar(&f.margin, "margin", 0, "how long before the end of its lease a member stops leading (default: a tenth of the lease)")
	flags.DurationVar(&f.settleDelay, "settle-delay", 0, "how long a member waits before it receives shards (default: a third of the lease)")
	flags.IntVar(&f.maxMoves, "max-moves", group.DefaultConfig().MaxMoves, "how many shards a member moves for balance at a time")
	flags.DurationVar(&f.retention, "retention", group.DefaultConfig().Retention, "how long the log of changes is kept")
	flags.BoolVar(&f.disabled, "disabled", false, "no member may lead until \"group config enable\"")
	return cmd
}

// place takes the name of the group from the arguments, and checks the flags.
func (f *createFlags) place(cmd *cobra.Command, args []string) error {
	given := cmd.Flags().Changed
	switch {
	case len(args) > 1:
		return exit.Usage(fmt.Errorf("%d names are given; name one group", len(args)))
	case len(args) == 1 && given("group") && !session.SetByVariable(cmd.Flags(), "group"):
		return exit.Usage(errors.New("the group is named twice; give either NAME or --group"))
	case given("shards") && given("shard-names"):
		return exit.Usage(errors.New("give either --shards or --shard-names"))
	case given("shards") && (f.shards < 1 || f.shards > maxShards):
		return exit.Usage(fmt.Errorf("--shards is %d; use 1 to %d", f.shards, maxShards))
	}
	if len(args) == 1 {
		f.Name, f.Argument = args[0], true
	}
	return nil
}

// config returns the config that the flags ask for, or all of its faults.
func (f *createFlags) config(given *pflag.FlagSet) (group.Config, error) {
	c := records.DefaultGroupConfig(f.lease)
	f.apply(&c, given)
	return c, usageOf(session.FaultsByFlag(c.Validate(), records.GroupSettings, given))
}

// usageOf marks an error as one of the command line.
func usageOf(err error) error {
	if err == nil {
		return nil
	}
	return exit.Usage(err)
}

// apply sets what the user has given.
func (f *createFlags) apply(c *group.Config, given *pflag.FlagSet) {
	for _, d := range []struct {
		flag  string
		value time.Duration
		to    *time.Duration
	}{
		{"lease", f.lease, &c.LeaseDuration},
		{"heartbeat", f.heartbeat, &c.HeartbeatInterval},
		{"margin", f.margin, &c.Margin},
		{"settle-delay", f.settleDelay, &c.SettleDelay},
		{"retention", f.retention, &c.Retention},
	} {
		if given.Changed(d.flag) {
			*d.to = d.value
		}
	}
	if given.Changed("max-moves") {
		c.MaxMoves = f.maxMoves
	}
	if given.Changed("disabled") {
		c.Enabled = !f.disabled
	}
}

// names returns the names of the shards that the flags ask for.
func (f *createFlags) names(stdin io.Reader) ([]string, error) {
	if f.nameFile == "" {
		names := make([]string, f.shards)
		for i := range names {
			names[i] = fmt.Sprintf("shard-%04d", i) // the same names if there are more later
		}
		return names, nil
	}
	in := stdin
	if f.nameFile != "-" {
		text, err := os.ReadFile(f.nameFile)
		if err != nil {
			return nil, exit.Usage(fmt.Errorf("--shard-names: %w", err))
		}
		in = bytes.NewReader(text)
	}
	return readNames(in, election.SafeText(f.nameFile))
}

// readNames reads one name per line. Empty lines and repeated names are left out.
func readNames(in io.Reader, from string) (names []string, err error) {
	seen := make(map[string]bool)
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		name := strings.TrimSuffix(lines.Text(), "\r")
		if name == "" || seen[name] {
			continue
		}
		if err := groups.CheckName(fmt.Sprintf("line %d of %s", n, from), name); err != nil {
			return nil, exit.Usage(fmt.Errorf("%w; nothing was changed", err))
		}
		seen[name] = true
		names = append(names, name)
	}
	if err := lines.Err(); err != nil {
		return nil, exit.Usage(fmt.Errorf("--shard-names: %w", err))
	}
	if names == nil {
		return nil, exit.Usage(fmt.Errorf("%s has no names; nothing was changed", from))
	}
	return names, nil
}

// createdGroup is the output of "group create".
type createdGroup struct {
	Changed bool   `json:"changed"`
	Store   string `json:"store"`
	Root    string `json:"root"`
	Group   string `json:"group"`
	// Shards is how many were asked for, and Created how many of them did not exist.
	Shards  int                 `json:"shards"`
	Created int                 `json:"created"`
	Config  *report.GroupConfig `json:"group_config"`
}

func (a *app) createGroup(ctx context.Context, f *createFlags, given *pflag.FlagSet) error {
	config, err := f.config(given)
	if err != nil {
		return err
	}
	if _, err := f.Group(); err != nil {
		return err
	}
	names, err := f.names(a.Stdin)
	if err != nil {
		return err
	}
	nonce, err := a.NewNonce()
	if err != nil {
		return err
	}
	config.Nonce = nonce
	s, err := a.OpenGroup(ctx, &f.Access, false)
	if err != nil {
		return err
	}
	defer s.End()
	stored, err := session.Transact(ctx, s, func(tr kv.Transaction) (group.Config, error) { return s.Group.Initialize(tr, config) })
	if err != nil {
		return err
	}
	where := fmt.Sprintf("group %s below %s in %s", election.SafeText(f.Name), election.SafeText(f.Root), f.SafeSpec())
	made := uuid.UUID(stored.Nonce) == nonce
	if !made {
		wanted := stored
		f.apply(&wanted, given)
		if differ := records.Differences(records.GroupSettings, stored, wanted); len(differ) > 0 {
			return fmt.Errorf("%s exists already, and differs: %s; nothing was changed: change it with \"fdbelect group config set\"",
				where, records.DifferenceText(differ))
		}
	}
	created, err := createShards(ctx, s, names)
	if err != nil {
		return fmt.Errorf("%w; %d of %d shards exist by now: run create again to add the others", err, created.done, len(names))
	}
	if f.Spec == "mem:" {
		fmt.Fprintln(a.Stderr, "fdbelect: mem: is the memory of this process, which ends now")
	}
	shown := report.GroupConfigOf(stored)
	text := []string{output.Either(made, "created "+where, fmt.Sprintf("%s exists already (revision %d)", where, stored.Revision))}
	if len(names) > 0 {
		text = append(text, fmt.Sprintf("%s, %d of them new", output.Count(len(names), "shard"), created.made))
	}
	return a.ShowLines(f.Output, createdGroup{made || created.made > 0, f.Spec, f.Root, f.Name, len(names), created.made, &shown}, text...)
}

// createdShards says how far createShards is.
type createdShards struct{ done, made int }

// createShards creates shards, a batch in each transaction.
func createShards(ctx context.Context, s *session.Session, names []string) (c createdShards, err error) {
	p := s.Program.NewProgress()
	defer p.Done()
	for c.done < len(names) {
		batch := names[c.done:min(c.done+group.MaxBatch, len(names))]
		p.Show(fmt.Sprintf("creating shards: %d of %d", c.done, len(names)), int64(c.done), int64(len(names)))
		made, err := session.Transact(ctx, s, func(tr kv.Transaction) (int, error) {
			return s.Group.CreateShards(tr, batch, s.Program.Clock.Wall())
		})
		if err != nil {
			return c, err
		}
		c.done, c.made = c.done+len(batch), c.made+made
	}
	return c, nil
}
