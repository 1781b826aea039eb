package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/fdbelection/fdbelection/cmd/internal/output"
	"github.com/fdbelection/fdbelection/cmd/internal/records"
	"github.com/fdbelection/fdbelection/cmd/internal/report"
	"github.com/fdbelection/fdbelection/cmd/internal/session"
	"github.com/fdbelection/fdbelection/cmd/internal/terminal"
	"github.com/fdbelection/fdbelection/election"
)

func (a *app) candidatesCommand() *cobra.Command {
	var r session.Report
	var quick bool
	cmd := &cobra.Command{
		Use:   "candidates --store STORE [flags]",
		Short: "List the candidates by rank, with their heartbeats and tags",
		Long: `candidates lists every registered candidate and marks the leader: voters before
observers, ready ones first, then higher priorities, then those that have been ready for
longer. LAST is the age of the last heartbeat. It compares the clock of the candidate's host
with the local clock.

Clocks do not decide which candidates are alive. If the last heartbeat of a candidate is
older than the candidate timeout, or in the future, the command waits for up to half of that
timeout. If it sees a heartbeat meanwhile, the candidate is alive, and LAST says how far its
clock is off. Otherwise the candidate is marked as timed out. With --quick, or if the store
is slow, no candidate is.

A candidate that died without leaving stays listed until a leader evicts it. If a record
cannot be read, candidates lists the others, names it and ends with 1.`,
		Example: `  fdbelect candidates --store file:/tmp/demo.db
  fdbelect candidates --store file:/tmp/demo.db --quick --output json`,
		Args: session.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.candidates(cmd.Context(), &r, quick)
		},
	}
	r.AddFlags(cmd)
	cmd.Flags().BoolVar(&quick, "quick", false, "read once, and mark no candidate as timed out")
	return cmd
}

// census is what was read of the candidates, and what listen saw of their heartbeats.
type census struct {
	records.Listing
	at         time.Time // of the last read, on the local wall clock
	heartbeats records.Heartbeats
	judged     bool // candidates without a heartbeat have timed out
	slow       bool // the store, so no candidate is judged
	slowest    time.Duration
}

func (a *app) candidates(ctx context.Context, r *session.Report, quick bool) error {
	s, err := a.OpenElection(ctx, &r.Access, true)
	if err != nil {
		return err
	}
	defer s.End()
	seen, err := listen(ctx, s, quick, "")
	if err != nil {
		return err
	}
	if seen.slow {
		fmt.Fprintf(a.Stderr, "fdbelect: store %s is slow: a read took %s; no candidate is judged as timed out\n", r.SafeSpec(), output.Age(seen.slowest))
	}
	list := seen.list()
	err = a.Show(r.Output, list, func() output.Table { return seen.table(list) })
	return errors.Join(err, r.Explain(errors.Join(seen.LeaderUnreadable, seen.Unreadable)))
}

func (s *census) list() []report.Candidate {
	list := make([]report.Candidate, len(s.Candidates))
	for i := range s.Candidates {
		c := &s.Candidates[i]
		list[i] = report.CandidateOf(c, i+1, &s.Leader, s.at)
		list[i].TimedOut = s.timedOut(c)
		if ahead, seen := s.heartbeats.Ahead[c.Identity]; seen {
			list[i].ClockAhead = (*output.Duration)(&ahead)
		}
	}
	return list
}

// timedOut reports whether a candidate has timed out. It returns nil if that was not
// judged.
func (s *census) timedOut(c *election.Candidate) *bool {
	dead := records.LooksDead(c, &s.Config, s.at) && !s.heartbeats.Seen(c.Identity)
	if dead && !s.judged {
		return nil
	}
	return &dead
}

func (s *census) table(list []report.Candidate) output.Table {
	t := output.Table{Header: []string{"RANK", "CANDIDATE", "ROLE", "PRIORITY", "READY", "HEARTBEATS", "LAST", "TAGS"}}
	t.Style = func(p terminal.Palette, i int) func(string) string {
		switch {
		case list[i].Leads:
			return p.Good
		case list[i].TimedOut != nil && *list[i].TimedOut:
			return p.Dim
		}
		return nil
	}
	for i, c := range list {
		role := c.Role
		if c.Leads {
			role = "leader"
		}
		t.Rows = append(t.Rows, []string{
			fmt.Sprint(c.Rank), s.Candidates[i].Identity.String(), role, fmt.Sprint(c.Priority),
			records.ReadyText(&s.Candidates[i]), fmt.Sprint(c.Heartbeats), s.lastText(&c), output.Metadata(c.Tags),
		})
	}
	return t
}

// lastText says when the last heartbeat was, and what the clocks leave open.
func (s *census) lastText(c *report.Candidate) string {
	age := time.Duration(c.Age)
	text := output.Age(max(age, 0)) + " ago"
	if age < -records.ClockTolerance(&s.Config) {
		text = "in " + output.Age(-age)
	}
	switch {
	case c.TimedOut == nil:
		return text + " by its clock"
	case *c.TimedOut:
		return text + ", timed out"
	case c.ClockAhead != nil && time.Duration(*c.ClockAhead).Abs() > records.ClockTolerance(&s.Config):
		return "now, its clock is " + output.OffBy(time.Duration(*c.ClockAhead))
	}
	return text
}
