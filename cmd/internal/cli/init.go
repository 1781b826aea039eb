package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/election"
	"github.com/fdbelection/fdbelection/kv"
)

// initFlags are the flags of "init". Settings that are not given follow from the lease.
type initFlags struct {
	session.Report
	lease, heartbeat, candidateTimeout time.Duration
	grace, minimumTenure, preemptDelay time.Duration
	margin                             time.Duration
	historyLimit                       int
	expiry                             string
	noPreemption, disabled, recipe     bool
}

// init creates the election, or says how an existing one differs.
func (a *app) initCommand() *cobra.Command {
	var f initFlags
	cmd := &cobra.Command{
		Use:   "init --store STORE [flags]",
		Short: "Create an election with a config",
		Long: `init creates an election, so that it has its config before the first candidate starts.
Otherwise the first "run" creates it with its own flags. What you do not give follows from
the lease, as in "run": the heartbeat is a third of it (3s of 10s), the candidate timeout one
and a half of it, the grace, the minimum tenure and the preempt delay are the lease itself,
and leases expire by observation.

--recipe uses the config of the recipe from which this project started: expiry by clock, and
preemption at once. It relies on synchronised clocks. A preempted leader learns of it
afterwards, so all of its work must be fenced.

If the election exists already with these settings, init ends with 0. If its settings differ,
init lists them, changes nothing and ends with 1: "config set" changes them. It keeps the
terms and ballots that were reached in this place before.`,
		Example: `  fdbelect init --store file:/tmp/demo.db --election jobs
  fdbelect init --store file:/tmp/demo.db --election mail --lease 6s --minimum-tenure 1m --no-preemption`,
		Args: session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := f.config(cmd.Flags())
			if err != nil {
				return err
			}
			return a.init(cmd.Context(), &f.Report, config)
		},
	}
	f.Report.AddFlags(cmd)
	flags := cmd.Flags()
	flags.DurationVar(&f.lease, "lease", fdbelection.DefaultLeaseDuration, "how long leadership lasts without a renewal")
	flags.DurationVar(&f.heartbeat, "heartbeat", 0, "time between two renewals (default: a third of the lease)")
	flags.DurationVar(&f.candidateTimeout, "candidate-timeout", 0, "how long a candidate may go without a heartbeat (default: one and a half leases)")
	flags.DurationVar(&f.grace, "grace", 0, "how long a leader may drain for a higher priority; 0 preempts at once (default: the lease)")
	flags.DurationVar(&f.minimumTenure, "minimum-tenure", 0, "how long a new leader is protected from preemption (default: the lease)")
	flags.DurationVar(&f.preemptDelay, "preempt-delay", 0, "how long a candidate must be registered before it preempts (default: the lease)")
	flags.DurationVar(&f.margin, "margin", 0, "how long before the end of its lease a leader stops (default: a tenth of the lease)")
	flags.IntVar(&f.historyLimit, "history-limit", fdbelection.DefaultHistoryLimit, "how many terms of history to keep")
	flags.StringVar(&f.expiry, "expiry", "", "how leases expire: observation, or clock if all hosts have synchronised clocks (default: observation)")
	flags.BoolVar(&f.noPreemption, "no-preemption", false, "a higher priority never preempts a leader")
	flags.BoolVar(&f.recipe, "recipe", false, "use the config of the recipe: expiry by clock, no grace, minimum tenure or preempt delay")
	flags.BoolVar(&f.disabled, "disabled", false, "no candidate may lead until \"config enable\"")
	return cmd
}

// config returns the config that the flags ask for, or all of its faults.
func (f *initFlags) config(given *pflag.FlagSet) (fdbelection.Config, error) {
	c := records.DefaultConfig(f.lease)
	if f.recipe {
		setRecipe(&c)
	}
	for _, d := range []struct {
		flag  string
		value time.Duration
		to    *time.Duration
	}{
		{"heartbeat", f.heartbeat, &c.HeartbeatInterval},
		{"candidate-timeout", f.candidateTimeout, &c.CandidateTimeout},
		{"grace", f.grace, &c.PreemptionGrace},
		{"minimum-tenure", f.minimumTenure, &c.MinimumTenure},
		{"preempt-delay", f.preemptDelay, &c.PreemptDelay},
		{"margin", f.margin, &c.Margin},
	} {
		if given.Changed(d.flag) {
			*d.to = d.value
		}
	}
	c.HistoryLimit, c.AllowPreemption, c.ElectionEnabled = f.historyLimit, !f.noPreemption, !f.disabled
	var unknown error
	if given.Changed("expiry") {
		mode, err := fdbelection.ParseExpiryMode(f.expiry)
		if err == nil {
			c.Expiry = mode
		} else {
			unknown = fmt.Errorf("--expiry is %s; use observation or clock", election.SafeText(f.expiry))
		}
	}
	if err := errors.Join(session.FaultsByFlag(c.Validate(), records.Settings, given), unknown); err != nil {
		return c, exit.Usage(err)
	}
	return c, nil
}

// initialized is the output of "init".
type initialized struct {
	Changed  bool          `json:"changed"`
	Store    string        `json:"store"`
	Root     string        `json:"root"`
	Election string        `json:"election"`
	Config   report.Config `json:"config"`
}

// init makes the election, or says how the one that is there differs.
func (a *app) init(ctx context.Context, x *session.Report, config fdbelection.Config) error {
	nonce, err := a.NewNonce()
	if err != nil {
		return err
	}
	config.Nonce = nonce
	s, err := a.OpenElection(ctx, &x.Access, false)
	if err != nil {
		return err
	}
	defer s.End()
	existing, err := session.Transact(ctx, s, func(tr kv.Transaction) (fdbelection.Config, error) {
		return s.Election.InitializeWithConfig(tr, config)
	})
	where := fmt.Sprintf("election %s below %s in %s", election.SafeText(x.Name), election.SafeText(x.Root), x.SafeSpec())
	made := uuid.UUID(existing.Nonce) == nonce
	shown := initialized{made, x.Spec, x.Root, x.Name, report.ConfigOf(existing)}
	switch {
	case err != nil:
		return err
	case made:
		if x.Spec == "mem:" {
			fmt.Fprintln(a.Stderr, "fdbelect: mem: is the memory of this process, which ends now")
		}
		return a.ShowLines(x.Output, shown, "created "+where)
	case existing.SameSettings(config):
		return a.ShowLines(x.Output, shown, fmt.Sprintf("%s exists already, with these settings (revision %d)", where, existing.Revision))
	default:
		return fmt.Errorf("%s exists already, and differs: %s; nothing was changed: change it with \"fdbelect config set\"",
			where, records.DifferenceText(records.Differences(records.Settings, existing, config)))
	}
}
