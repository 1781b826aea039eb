package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/fdbelection/fdbelection"
	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/election"
)

// doctorFlags are the flags of "doctor".
type doctorFlags struct {
	session.Report
	group string
	quick bool
}

// choose sets what is examined.
func (f *doctorFlags) choose(flags *pflag.FlagSet) error {
	if !flags.Changed("group") {
		return nil
	}
	if flags.Changed("election") && !session.SetByVariable(flags, "election") {
		return exit.Usage(errors.New("give either --election or --group"))
	}
	f.Name, f.OfGroup = f.group, true
	return nil
}

// named checks the flags.
func (f *doctorFlags) named() (any, error) {
	if f.OfGroup {
		return f.Group()
	}
	return f.Election()
}

// Command returns the subcommand "doctor".
func Command(p *session.Program) *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor --store STORE [flags]",
		Short: "Examine a store and an election or a group, and say what to do about each finding",
		Long: `doctor checks whether the store answers, and how fast compared with the lease. It checks
the config, whether every record can be read and agrees with the others, and whether the
leader renews. It looks for requests on which the leader does not act, candidates without
a heartbeat, clocks that differ, two processes with one id, and gaps in the history. It
also shows the versions of the command and the store.

It observes the leader for one and a half heartbeats. If a candidate looks dead by the
clocks, doctor waits for its heartbeat, for up to two thirds of the candidate timeout.
A candidate that writes is alive even if its clock is wrong, and the finding is then
about the clock. If the store is slow, doctor says so first, and judges neither clocks
nor heartbeats.

Each finding is ok, warn, fail or skip (not judged). If it is not ok, it says what it
means and what to do. Findings of one kind are one line with a count. doctor writes
nothing and does not measure commits. Use "fdbelect bench" for that.

With --group it examines a group: records that cannot be read, members without a heartbeat
for their lease, shards that stay free, mirrors that lag, pins and drains without effect, a log
that is not trimmed, and risky settings. It waits for the heartbeats of the members for up to
a lease, and for free shards to be claimed for up to four heartbeats.

The exit code is 0 if no check failed, 1 if a check failed, and 4 if the store cannot be
reached. --quick skips the checks that have to observe for a while.`,
		Example: `  fdbelect doctor --store file:/tmp/demo.db
  fdbelect doctor --store file:/tmp/demo.db --quick --output json
  fdbelect doctor --store file:/tmp/demo.db --group default`,
		Args: session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.choose(cmd.Flags()); err != nil {
				return err
			}
			return runDoctor(cmd.Context(), p, &f)
		},
	}
	f.AddFlags(cmd)
	cmd.Flags().StringVar(&f.group, "group", "", "examine the group of this name instead of an election")
	cmd.Flags().BoolVar(&f.quick, "quick", false, "skip the checks that take time to observe")
	return cmd
}

// level is how bad a finding is.
type level string

const (
	levelOK   level = "ok"
	levelWarn level = "warn"
	levelFail level = "fail"
	levelSkip level = "skip" // it could not be judged
)

// finding is one result of a check.
type finding struct {
	Check string `json:"check"`
	Level level  `json:"level"`
	Found string `json:"found"`
	// Count is how many candidates, records or gaps the finding is about, and Subjects
	// names them. Subjects may be empty.
	Count    int      `json:"count"`
	Subjects []string `json:"subjects"`
	// Means says what the finding means, and Do what to do about it. They are empty if the
	// level is ok.
	Means string `json:"means"`
	Do    string `json:"do"`
}

// diagnosis is the output of "doctor".
type diagnosis struct {
	Store    string    `json:"store"`
	Root     string    `json:"root"`
	Election string    `json:"election"` // empty: a group was examined
	Group    string    `json:"group"`    // empty: an election was examined
	Warnings int       `json:"warnings"`
	Failures int       `json:"failures"`
	Findings []finding `json:"findings"`

	check string // the check that runs
}

func (d *diagnosis) begin(check string) { d.check = check }

func (d *diagnosis) add(l level, means, do, found string, args ...any) {
	switch l {
	case levelWarn:
		d.Warnings++
	case levelFail:
		d.Failures++
	case levelOK, levelSkip:
	}
	d.Findings = append(d.Findings, finding{
		Check: d.check, Level: l, Found: fmt.Sprintf(found, args...), Count: 1, Subjects: []string{}, Means: means, Do: do,
	})
}

// addMany adds one finding about several subjects of one kind.
func (d *diagnosis) addMany(l level, subjects []string, means, do, found string) {
	d.add(l, means, do, "%s", found)
	last := &d.Findings[len(d.Findings)-1]
	last.Count, last.Subjects = len(subjects), subjects
}

// firstFew lists the first few texts and how many more there are.
func firstFew(texts []string) string {
	const most = 5
	if len(texts) <= most {
		return strings.Join(texts, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(texts[:most], ", "), len(texts)-most)
}

// skip adds a question that was not judged because the store is slow.
func (d *diagnosis) skip(question string) {
	d.add(levelSkip, "delays may come from the store", "run doctor again when the store is fast", "not judged, because the store is slow: %s", question)
}

func (d *diagnosis) ok(found string, args ...any) { d.add(levelOK, "", "", found, args...) }

func (d *diagnosis) warn(means, do, found string, args ...any) {
	d.add(levelWarn, means, do, found, args...)
}

func (d *diagnosis) fail(means, do, found string, args ...any) {
	d.add(levelFail, means, do, found, args...)
}

// runDoctor runs the checks, and shows the findings even if some checks could not run.
func runDoctor(ctx context.Context, p *session.Program, f *doctorFlags) error {
	d := &diagnosis{Store: f.Spec, Root: f.Root, Findings: []finding{}}
	if f.OfGroup {
		d.Group = f.Name
	} else {
		d.Election = f.Name
	}
	if _, err := f.named(); err != nil {
		return err
	}
	progress := p.NewProgress()
	err := examine(ctx, p, f, d, progress)
	progress.Done()
	if exit.IsUsage(err) {
		return err
	}
	shown := p.Show(f.Output, d, d.table)
	switch {
	case shown != nil:
		return shown
	case err != nil:
		return err
	case d.Failures > 0:
		return fmt.Errorf("%s failed, %s", output.Count(d.Failures, "check"), output.Count(d.Warnings, "warning"))
	}
	return nil
}

// examine runs the checks. It returns an error if some of them could not run.
func examine(ctx context.Context, p *session.Program, f *doctorFlags, d *diagnosis, progress *terminal.Progress) error {
	d.begin("store")
	s, err := p.OpenNamed(ctx, &f.Access)
	if err != nil {
		d.fail("no process on this host can use this store",
			"fix what the finding says, or give another --store", "%s", terminal.SafeLines(err.Error()))
		return err
	}
	defer s.End()
	b := &basis{diagnosis: d, session: s, quick: f.quick, progress: progress}
	if f.OfGroup {
		b.configKey, b.renewer, b.settings = s.Group.Subspace().Sub("group").Bytes(), "a member", "fdbelect group config set"
	} else {
		b.configKey, b.renewer, b.settings = s.Election.Subspace().Sub("config").Bytes(), "a leader", "fdbelect config set"
	}
	if err := b.measure(ctx); err != nil {
		d.fail("the store was opened but does not answer", "check whether it is overloaded, cut off or locked by another program; try a longer --timeout",
			"%s", terminal.SafeLines(err.Error()))
		return unreachable(err)
	}
	d.ok("%s answers", f.SafeSpec())
	b.versions(ctx)
	if f.OfGroup {
		return examineGroup(ctx, b)
	}
	return examineElection(ctx, b)
}

// examineElection runs the checks of an election.
func examineElection(ctx context.Context, b *basis) error {
	e := &examination{basis: b}
	if err := e.readAll(ctx); err != nil {
		return err
	}
	if e.status != nil {
		e.lease = &e.status.Config
	}
	e.checkLatency()
	if e.status == nil {
		return nil
	}
	e.checkConfig()
	e.checkLeader()
	if !e.quick && !e.slow {
		if err := e.observe(ctx); err != nil {
			return err
		}
		if err := e.measureRate(ctx); err != nil {
			return unreachable(err)
		}
	}
	e.checkClocks()
	e.checkCandidates()
	e.checkIDs()
	e.checkRequest()
	e.checkHistory()
	return nil
}

// unreachable chooses the exit code for a store that was opened but does not answer.
func unreachable(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return exit.Unreachable(err)
}

// basis is what the examinations of an election and of a group share.
type basis struct {
	*diagnosis
	session  *session.Session
	quick    bool
	progress *terminal.Progress
	// configKey is the key of the config record. lease are the settings of the lease, or nil if
	// they cannot be read. renewer is who renews it, and settings the command that changes them.
	configKey         []byte
	lease             *fdbelection.Config
	renewer, settings string

	latency, empty []time.Duration // of reads and of transactions without a commit, sorted
	slow           bool            // the store is slow, so delays are not judged
}

// examination is one run of the checks of an election and what they have read.
type examination struct {
	*basis
	rate             *versionRate
	status           *election.Status // nil if it cannot be read
	leaderLost       bool             // there is no leader record, and status.Leader comes from the term record
	requestErr       error            // why the request cannot be read
	termUnreadable   bool
	candidates       []election.Candidate
	ranked           []election.RankEntry
	history          []election.Event      // oldest first
	readAt           time.Time             // of candidates, on the local wall clock
	lastLeader       election.LeaderRecord // as read last
	offsets          []offset              // of the leader's clock, from its renewals
	heartbeats       records.Heartbeats
	observed         time.Duration // how long observe took
	renewed          bool          // a renewal was seen
	requestUnchanged bool          // while the election was observed
	incarnations     incarnations
}

// table returns the diagnosis for people to read.
func (d *diagnosis) table() output.Table {
	var t output.Table
	var levels []level
	add := func(l level, cells ...string) {
		levels = append(levels, l)
		t.Rows = append(t.Rows, cells)
	}
	for _, f := range d.Findings {
		add(f.Level, string(f.Level), f.Check, terminal.SafeLines(f.Found))
		if f.Means != "" {
			add("", "", "", "means: "+terminal.SafeLines(f.Means))
		}
		if f.Do != "" {
			add("", "", "", "do: "+terminal.SafeLines(f.Do))
		}
	}
	t.Style = func(p terminal.Palette, i int) func(string) string {
		switch levels[i] {
		case levelOK:
			return p.Good
		case levelWarn:
			return p.Warn
		case levelFail:
			return p.Bad
		case levelSkip:
			return p.Dim
		default:
			return nil
		}
	}
	return t
}
