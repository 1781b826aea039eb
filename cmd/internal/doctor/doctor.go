package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection/cmd/internal/exit"
	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/election"
)

// doctorFlags are those of "doctor".
type doctorFlags struct {
	session.Report
	quick bool
}

func Command(a *session.Program) *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor --store STORE [flags]",
		Short: "Examine a store and an election, and say what to do about each finding",
		Long: `doctor examines whether the store answers, and how fast beside the lease; the versions;
the config; whether every record can be read and fits the others; whether the leader
renews; requests that are not obeyed, candidates that are silent, clocks that differ, two
processes under one id, and gaps in the history.

It observes the leader for a heartbeat and a half. If a candidate looks dead by the
clocks, it listens for a heartbeat of it, for up to half of the candidate timeout. A
candidate that writes is alive, whatever its clock says, and the finding is about the
clock. If the store itself is slow, doctor says so first, and judges neither clocks nor
silence.

Each finding is ok, warn, fail or skip (not judged), and says what it means and what to
do. Findings of one kind are one line, with a count. doctor writes nothing, and measures
no commits: "fdbelect bench" does.

It ends with 0 if nothing failed, with 1 if something did, with 4 if the store cannot be
reached. --quick does not wait: it leaves out what takes observation.`,
		Example: `  fdbelect doctor --store file:/tmp/demo.db
  fdbelect doctor --store file:/tmp/demo.db --quick --output json`,
		Args: session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDoctor(cmd.Context(), a, &f) },
	}
	f.AddFlags(cmd)
	cmd.Flags().BoolVar(&f.quick, "quick", false, "leave out what takes time to observe")
	return cmd
}

// level says how bad a finding is.
type level string

const (
	levelOK   level = "ok"
	levelWarn level = "warn"
	levelFail level = "fail"
	levelSkip level = "skip" // it could not be judged
)

// finding is what one check has found.
type finding struct {
	Check string `json:"check"`
	Level level  `json:"level"`
	Found string `json:"found"`
	// Count is how many things of one kind the finding is about, and Subjects names them:
	// candidates, records or terms. Some findings name none.
	Count    int      `json:"count"`
	Subjects []string `json:"subjects"`
	// Means and Do are there where something is not as it should be.
	Means string `json:"means"`
	Do    string `json:"do"`
}

// diagnosis is what "doctor" shows.
type diagnosis struct {
	Store    string    `json:"store"`
	Root     string    `json:"root"`
	Election string    `json:"election"`
	Warnings int       `json:"warnings"`
	Failures int       `json:"failures"`
	Findings []finding `json:"findings"`

	check string // the one that is under way
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

// many adds one finding about many things of one kind.
func (d *diagnosis) many(l level, subjects []string, means, do, found string) {
	d.add(l, means, do, "%s", found)
	last := &d.Findings[len(d.Findings)-1]
	last.Count, last.Subjects = len(subjects), subjects
}

// someOf lists the first few of many texts.
func someOf(texts []string) string {
	const most = 5
	if len(texts) <= most {
		return strings.Join(texts, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(texts[:most], ", "), len(texts)-most)
}

// skip adds what was not judged because the store is slow.
func (d *diagnosis) skip(what string) {
	d.add(levelSkip, "what is late may be late because of the store", "run doctor again when the store is fast", "%s was not judged: the store is slow", what)
}

func (d *diagnosis) ok(found string, args ...any) { d.add(levelOK, "", "", found, args...) }

func (d *diagnosis) warn(means, do, found string, args ...any) {
	d.add(levelWarn, means, do, found, args...)
}

func (d *diagnosis) fail(means, do, found string, args ...any) {
	d.add(levelFail, means, do, found, args...)
}

// doctor examines everything, and shows what it found whatever that is.
func runDoctor(ctx context.Context, a *session.Program, f *doctorFlags) error {
	if _, err := f.Election(); err != nil {
		return err
	}
	d := &diagnosis{Store: f.Spec, Root: f.Root, Election: f.Name, Findings: []finding{}}
	p := a.NewProgress()
	err := examine(ctx, a, f, d, p)
	p.Done()
	if exit.IsUsage(err) {
		return err
	}
	shown := a.Show(f.Output, d, d.table)
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

// examine runs the checks. An error says that the rest could not be done.
func examine(ctx context.Context, a *session.Program, f *doctorFlags, d *diagnosis, p *terminal.Progress) error {
	d.begin("store")
	s, err := a.OpenElection(ctx, &f.Access, true)
	if err != nil {
		d.fail("no process that uses this store from here can take part or see who leads",
			"mend what the finding says, or name another --store", "%s", terminal.SafeLines(err.Error()))
		return err
	}
	defer s.End()
	e := &examination{diagnosis: d, session: s, quick: f.quick, progress: p}
	if err := e.measure(ctx); err != nil {
		d.fail("the store was opened, and does not answer", "see whether it is overloaded, cut off or held by another program; try a longer --timeout",
			"%s", terminal.SafeLines(err.Error()))
		return unreachable(err)
	}
	d.ok("%s answers", f.SafeSpec())
	e.versions(ctx)
	if err := e.readAll(ctx); err != nil {
		return err
	}
	e.checkLatency()
	if e.state == nil {
		return nil
	}
	e.checkConfig()
	e.checkSeat()
	if !f.quick && !e.slow {
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
	e.checkIntent()
	e.checkHistory()
	return nil
}

// unreachable makes the exit code say that a store that was opened does not answer.
func unreachable(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return exit.Unreachable(err)
}

// examination is one run of the checks, and what they have read.
type examination struct {
	*diagnosis
	session  *session.Session
	quick    bool
	progress *terminal.Progress

	latency, empty []time.Duration // sorted
	rate           *versionRate
	state          *election.Status // nil where it cannot be read
	lost           bool             // there is no leader record: that of the state is what the term record says
	unasked        error            // why the intent cannot be read
	untermed       bool             // the term record cannot be read
	candidates     []election.Candidate
	ranked         []election.RankEntry
	history        []election.Event      // oldest first
	readAt         time.Time             // by the calendar here
	last           election.LeaderRecord // the seat as it was seen last
	offsets        []offset              // of the leader's clock, by its renewals
	beats          records.Heartbeats
	observed       time.Duration // how long
	renewed        bool          // seen
	slow           bool          // the store, so that nothing is judged that may be late because of it
	stuck          bool          // the intent did not change while it was observed
	occupants      occupants
}

// table is the diagnosis for people to read.
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
